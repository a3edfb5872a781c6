"""From where each act came: the command line, the API, the dashboard, the daemon. Of those of before nobody knows."""

from alembic import op
from sqlalchemy import Column, String

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("audit_log", Column("acted_from", String(20), nullable=False, server_default=""))
    op.add_column("requested_runs", Column("asked_from", String(20), nullable=False, server_default=""))
