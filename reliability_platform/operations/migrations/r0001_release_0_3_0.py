"""The schema of release 0.3.0, and what homes of releases before it lack of that."""

from alembic import op
from sqlalchemy import Boolean, Column, Date, DateTime, Float, Integer, String, Text, UniqueConstraint

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is missing."""
    op.create_table(
        "alert_channels",
        Column("name", String(80), primary_key=True),
        Column("dry_run", Boolean, primary_key=True),
        Column("position", Integer, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("retry_at", DateTime),
        Column("last_sent_at", DateTime),
        Column("last_failed_at", DateTime),
        Column("last_error", String(200), nullable=False),
        Column("held_by", String(40)),
        Column("held_until", DateTime),
        if_not_exists=True,
    )
    op.create_table(
        "alerts",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("incident_id", String(200), nullable=False),
        Column("number", Integer, nullable=False),
        Column("channel", String(80), nullable=False),
        Column("dry_run", Boolean, nullable=False),
        Column("event", String(20), nullable=False),
        Column("words", String(200), nullable=False),
        Column("severity", String(2), nullable=False),
        Column("at", DateTime, nullable=False),
        Column("status", String(20), nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("due_at", DateTime, nullable=False),
        Column("reason", String(200), nullable=False),
        Column("message", String(40), nullable=False),
        Column("capped", Boolean, nullable=False),
        Column("sent_at", DateTime),
        UniqueConstraint("incident_id", "number", "channel", "dry_run"),
        if_not_exists=True,
    )
    op.create_index("alerts_by_status", "alerts", ["status", "channel"], if_not_exists=True)
    op.create_index("alerts_by_time", "alerts", ["channel", "sent_at"], if_not_exists=True)
    op.create_table(
        "backfill_approvals",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("first_day", Date, nullable=False),
        Column("last_day", Date, nullable=False),
        Column("actor", String(200), nullable=False),
        Column("why", Text, nullable=False),
        Column("guards", Text, nullable=False),
        Column("at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "backfill_decisions",
        Column("run", String(100), primary_key=True),
        Column("first_day", Date, nullable=False),
        Column("last_day", Date, nullable=False),
        Column("guard", String(40)),
        Column("words", Text),
        Column("at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "breakers",
        Column("source", String(100), primary_key=True),
        Column("state", String(10), nullable=False),
        Column("since", DateTime, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("trips", Integer, nullable=False),
        Column("next_probe_at", DateTime),
        if_not_exists=True,
    )
    op.create_table(
        "build_inputs",
        Column("source", String(100), primary_key=True),
        Column("landing_date", Date, primary_key=True),
        Column("slot", Integer, primary_key=True, autoincrement=False),
        Column("attempt", Integer, nullable=False),
        Column("checksum", String(64), nullable=False),
        Column("landed_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "builds",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("first_day", Date, nullable=False),
        Column("last_day", Date, nullable=False),
        Column("process", Integer, nullable=False),
        Column("outcome", String(20), nullable=False),
        Column("error", Text),
        Column("began_at", DateTime, nullable=False),
        Column("ended_at", DateTime),
        if_not_exists=True,
    )
    op.create_table(
        "check_results",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("check_name", String(200), nullable=False),
        Column("dataset", String(200), nullable=False),
        Column("source", String(100), nullable=False),
        Column("partition_date", Date, nullable=False),
        Column("verdict", String(20), nullable=False),
        Column("value", Float),
        Column("threshold", Text, nullable=False),
        Column("message", Text, nullable=False),
        Column("sample", Text, nullable=False),
        Column("column_name", String(200)),
        Column("details", Text, nullable=False),
        Column("reason", String(40)),
        Column("run_id", String(64), nullable=False),
        Column("evaluated_at", DateTime, nullable=False),
        Column("stale", Boolean, nullable=False),
        if_not_exists=True,
    )
    op.create_index("check_results_by_partition", "check_results", ["partition_date", "check_name"], if_not_exists=True)
    op.create_table(
        "discards",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("key", String(64), nullable=False, unique=True),
        Column("source", String(100), nullable=False),
        Column("landing_date", Date, nullable=False),
        Column("batch_id", String(200), nullable=False),
        Column("what", String(10), nullable=False),
        Column("reasons", String(2000), nullable=False),
        Column("fingerprint", String(64), nullable=False),
        Column("rows", Integer, nullable=False),
        Column("why", String(500), nullable=False),
        Column("who", String(200), nullable=False),
        Column("discarded_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "drills",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("drill", String(40), nullable=False),
        Column("began_at", DateTime, nullable=False),
        Column("rows_lost", Integer, nullable=False),
        Column("recovery_seconds", Float, nullable=False),
        Column("met", Boolean, nullable=False),
        Column("remark", Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "fetch_durations",
        Column("fetch_id", Integer, primary_key=True, autoincrement=False),
        Column("source", String(100), nullable=False),
        Column("seconds", Float, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_fetch_durations_source", "fetch_durations", ["source"], if_not_exists=True)
    op.create_table(
        "fetches",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("source", String(100), nullable=False),
        Column("landing_date", Date, nullable=False),
        Column("refusals", Integer, nullable=False),
        Column("missing", Integer, nullable=False),
        Column("breaker", String(10), nullable=False),
        Column("fetched_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "holds",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("source", String(100), nullable=False),
        Column("landing_date", Date, nullable=False),
        Column("is_held", Boolean, nullable=False),
        Column("actor", String(200), nullable=False),
        Column("why", Text, nullable=False),
        Column("at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "incident_heads",
        Column("incident_id", String(200), primary_key=True),
        Column("position", Integer, nullable=False),
        Column("state", String(20), nullable=False),
        Column("is_open", Boolean, nullable=False),
        Column("is_symptom", Boolean, nullable=False),
        Column("severity", String(2), nullable=False),
        Column("source", String(100), nullable=False),
        Column("failure_class", String(100), nullable=False),
        Column("assignee", String(200)),
        Column("first_day", Date, nullable=False),
        Column("last_day", Date, nullable=False),
        Column("detected_at", DateTime, nullable=False),
        Column("ended_at", DateTime),
        Column("awaits_response", Boolean, nullable=False),
        Column("awaits_postmortem", Boolean, nullable=False),
        if_not_exists=True,
    )
    op.create_index("incident_heads_by_position", "incident_heads", ["position"], if_not_exists=True)
    op.create_index("incident_heads_of_failure", "incident_heads", ["source", "failure_class"], if_not_exists=True)
    op.create_index("incident_heads_open", "incident_heads", ["is_open", "first_day"], if_not_exists=True)
    op.create_table(
        "incident_keys",
        Column("key", String(300), primary_key=True),
        Column("incident_id", String(200), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "incident_numbers",
        Column("number", Integer, primary_key=True),
        Column("incident_id", String(200)),
        if_not_exists=True,
    )
    op.create_table(
        "incident_signals",
        Column("result_id", Integer, primary_key=True, autoincrement=False),
        Column("incident_id", String(200), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "incident_timeline",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("incident_id", String(200), nullable=False),
        Column("number", Integer, nullable=False),
        Column("at", DateTime, nullable=False),
        Column("actor", String(200), nullable=False),
        Column("kind", String(40), nullable=False),
        Column("why", Text, nullable=False),
        Column("data", Text, nullable=False),
        Column("previous_hash", String(64), nullable=False),
        Column("hash", String(64), nullable=False),
        UniqueConstraint("incident_id", "number"),
        if_not_exists=True,
    )
    op.create_index("incident_timeline_by_time", "incident_timeline", ["at"], if_not_exists=True)
    op.create_table(
        "model_versions",
        Column("version", String(50), primary_key=True),
        Column("first_built_at", DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "openlineage_spool",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("event", Text, nullable=False),
        Column("set_aside_because", String(200)),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index("openlineage_spool_by_state", "openlineage_spool", ["set_aside_because", "id"], if_not_exists=True)
    op.create_table(
        "purges",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("source", String(100), nullable=False),
        Column("landing_date", Date, nullable=False),
        Column("batch_id", String(200), nullable=False),
        Column("landed", String(64), nullable=False),
        Column("now", String(64), nullable=False),
        Column("rows", Integer, nullable=False),
        Column("phase", String(10), nullable=False),
        Column("why", String(500), nullable=False),
        Column("who", String(200), nullable=False),
        Column("at", DateTime, nullable=False),
        UniqueConstraint("source", "landing_date", "batch_id", "landed", "now", "phase"),
        if_not_exists=True,
    )
    op.create_table(
        "replay_ledger",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("batch_id", String(200), nullable=False),
        Column("source", String(100), nullable=False),
        Column("landing_date", Date, nullable=False),
        Column("how", String(20), nullable=False),
        Column("fingerprint", String(64), nullable=False),
        Column("incident_id", String(200), nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("replayed_at", DateTime, nullable=False),
        UniqueConstraint("batch_id", "how", "fingerprint"),
        if_not_exists=True,
    )
