"""Entries of the audit log follow from each other by hashes. Those of before have none; the chain begins after them."""

from alembic import op
from sqlalchemy import Column, String

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("audit_log", Column("hash", String(64), nullable=False, server_default=""))
