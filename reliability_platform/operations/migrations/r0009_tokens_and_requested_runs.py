"""Who may use the API, and the runs that it was asked for."""

from alembic import op
from sqlalchemy import Column, DateTime, Integer, String, Text, UniqueConstraint

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "api_tokens",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("name", String(80), nullable=False, unique=True),
        Column("role", String(20), nullable=False),
        Column("hash", String(64), nullable=False, unique=True),
        Column("made_by", String(200), nullable=False),
        Column("made_at", DateTime, nullable=False),
        Column("expires_at", DateTime),
        Column("revoked_by", String(200)),
        Column("revoked_at", DateTime),
    )
    op.create_table(
        "requested_runs",
        Column("id", String(36), primary_key=True),
        Column("kind", String(40), nullable=False),
        Column("asked", Text, nullable=False),
        Column("asked_by", String(200), nullable=False),
        Column("asked_at", DateTime, nullable=False),
        Column("idempotency_key", String(200)),
        Column("state", String(20), nullable=False),
        Column("exit_code", Integer),
        Column("result", Text),
        Column("message", Text),
        Column("began_at", DateTime),
        Column("ended_at", DateTime),
        UniqueConstraint("asked_by", "idempotency_key"),
    )
    op.create_index("requested_runs_by_time", "requested_runs", ["asked_at"])
