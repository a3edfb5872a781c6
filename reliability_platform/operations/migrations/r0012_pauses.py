"""Sources and published tables that people have paused, and tables that they have taken from consumers."""

from alembic import op
from sqlalchemy import Column, DateTime, Integer, String

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "pauses",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("kind", String(10), nullable=False),
        Column("name", String(200), nullable=False),
        Column("state", String(10), nullable=False),
        Column("actor", String(200), nullable=False),
        Column("why", String(500), nullable=False),
        Column("until", DateTime),
        Column("at", DateTime, nullable=False),
    )
