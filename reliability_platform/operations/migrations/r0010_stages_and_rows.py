"""How long stages take, and what became of the rows of each landing day: what metrics are made of."""

from alembic import op
from sqlalchemy import BigInteger, Column, Date, DateTime, Float, Integer, String

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the tables. They fill with the runs and audits that come."""
    op.create_table(
        "stage_durations",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("stage", String(20), nullable=False),
        Column("source", String(100)),
        Column("seconds", Float, nullable=False),
        Column("ended_at", DateTime, nullable=False),
    )
    op.create_index("stage_durations_by_stage", "stage_durations", ["stage", "source", "id"])
    op.create_table(
        "row_counts",
        Column("landing_date", Date, primary_key=True),
        Column("source", String(100), primary_key=True),
        Column("disposition", String(20), primary_key=True),
        Column("rows", BigInteger, nullable=False),
    )
