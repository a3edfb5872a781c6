"""How far a sensor has read stands in the store. In a store of before it begins at the first result, once: all that
belong to an incident are known by their numbers.
"""

from alembic import op
from sqlalchemy import Column, Integer, String

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "sensor_cursors", Column("sensor", String(80), primary_key=True), Column("position", Integer, nullable=False)
    )
