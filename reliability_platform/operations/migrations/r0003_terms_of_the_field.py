"""Columns get the names that the glossary has for what they hold. The rows stay as they are."""

from alembic import op

revision = "0003"
down_revision = "0002"

RENAMED = (
    ("check_results", "verdict", "status"),
    ("alerts", "words", "summary"),
    ("backfill_decisions", "words", "message"),
    ("openlineage_spool", "set_aside_because", "dead_letter_reason"),
)


def upgrade() -> None:
    """Rename them; indices follow by themselves."""
    for table, before, name in RENAMED:
        op.alter_column(table, before, new_column_name=name)
