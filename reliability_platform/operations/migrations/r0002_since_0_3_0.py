"""Ten tables since release 0.3.0: what lands when, who did what, what was published, which runs failed. `model_versions` is not read."""

from alembic import op
from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, String, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make what is missing."""
    op.create_table(
        "arrivals",
        Column("source", String(100), primary_key=True),
        Column("landing_date", Date, primary_key=True),
        Column("batch_id", String(200), primary_key=True),
        Column("part", String(10), primary_key=True),
        Column("checksum", String(64), nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("modified_ns", BigInteger, nullable=False),
        Column("seen_at", DateTime, nullable=False),
        Column("absent_at", DateTime),
        if_not_exists=True,
    )
    op.create_table(
        "audit_log",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("command", String(40), nullable=False),
        Column("what", String(500), nullable=False),
        Column("phase", String(10), nullable=False),
        Column("who", String(200), nullable=False),
        Column("why", String(500), nullable=False),
        Column("at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "failed_runs",
        Column("run_id", String(64), primary_key=True),
        Column("job", String(100), nullable=False),
        Column("stage", String(200), nullable=False),
        Column("source", String(100)),
        Column("first_day", Date, nullable=False),
        Column("last_day", Date, nullable=False),
        Column("cause", String(40), nullable=False),
        Column("error", Text, nullable=False),
        Column("failed_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "first_published",
        Column("mart", String(200), primary_key=True),
        Column("event_date", Date, primary_key=True),
        Column("version", String(20), nullable=False),
        Column("published_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "homes",
        Column("id", String(36), primary_key=True),
        if_not_exists=True,
    )
    op.create_table(
        "landing_looks",
        Column("source", String(100), primary_key=True),
        Column("landing_date", Date, primary_key=True),
        Column("first_looked_at", DateTime, nullable=False),
        Column("looked_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "models_built",
        Column("number", Integer, primary_key=True),
        Column("version", String(100), nullable=False, unique=True),
        Column("first_built_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "published_versions",
        Column("home", String(36), primary_key=True),
        Column("version", String(20), primary_key=True),
        Column("record", Text, nullable=False),
        Column("state", String(10), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "service_periods",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("first_day", Date, nullable=False),
        Column("last_day", Date),
        if_not_exists=True,
    )
    op.create_table(
        "simulated_days",
        Column("landing_date", Date, primary_key=True),
        Column("began_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.drop_table("model_versions", if_exists=True)
