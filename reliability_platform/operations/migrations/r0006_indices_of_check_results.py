"""Each tick asks which runs it has told of: by an index, not by reading every check result."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make it."""
    op.create_index("check_results_by_run", "check_results", ["run_id"])
