"""Who has the warehouse, for homes whose store is in a server."""

from alembic import op
from sqlalchemy import BigInteger, Column, DateTime, String

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "leases",
        Column("name", String(40), primary_key=True),
        Column("token", BigInteger, nullable=False),
        Column("holder", String(200), nullable=False),
        Column("taken_at", DateTime, nullable=False),
    )
