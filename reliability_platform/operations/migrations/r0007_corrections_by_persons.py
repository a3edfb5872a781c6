"""What people correct of delivered rows, and take back."""

from alembic import op
from sqlalchemy import Column, DateTime, Integer, String, Text, UniqueConstraint

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "corrections",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("key", String(64), nullable=False),
        Column("number", Integer, nullable=False),
        Column("turn", String(10), nullable=False),
        Column("source", String(100), nullable=False),
        Column("correction", Text, nullable=False),
        Column("deliveries", Text, nullable=False),
        Column("why", String(500), nullable=False),
        Column("who", String(200), nullable=False),
        Column("incident_id", String(200)),
        Column("decided_at", DateTime, nullable=False),
        UniqueConstraint("key", "number"),
    )
