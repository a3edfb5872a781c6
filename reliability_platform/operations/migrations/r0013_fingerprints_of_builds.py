"""What each build was made with, and who began it. Of builds of before nobody knows."""

from alembic import op
from sqlalchemy import Column, DateTime, Integer, String, Text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "fingerprints",
        Column("digest", String(64), primary_key=True),
        Column("content", Text, nullable=False),
        Column("first_seen_at", DateTime, nullable=False),
    )
    op.create_table(
        "build_fingerprints",
        Column("build", Integer, primary_key=True, autoincrement=False),
        Column("fingerprint", String(64), nullable=False),
        Column("started_by", String(200), nullable=False),
        Column("started_from", String(20), nullable=False),
        Column("run", String(100), nullable=False),
        Column("requested_run", String(36)),
    )
