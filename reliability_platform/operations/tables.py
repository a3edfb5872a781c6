"""Every table of the operations store, under the name that it has there. Who reads and writes one is its module.

Moments of the platform are `UtcDateTime`. A change here needs a revision in `migrations/`: it is what a store that is there already gets.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
)

from reliability_platform.operations.texts import String, Text
from reliability_platform.operations.utc import UtcDateTime

metadata = MetaData()

MAX_REASON = 500
"""Characters of a reason that a person gives for what they destroy."""

# The schema

operations_version = Table("operations_version", metadata, Column("version_num", String(32), primary_key=True))

# The warehouse's lease

leases = Table(
    "leases",
    metadata,
    # Where the store is in a server. Of a home with its store in a file the lease is a file as well.
    Column("name", String(40), primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("holder", String(200), nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
)

# Days

simulated_days = Table(
    "simulated_days",
    metadata,
    Column("landing_date", Date, primary_key=True),
    Column("began_at", UtcDateTime, nullable=False),
)
service_periods = Table(
    "service_periods",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date),
)

# Landing

arrivals = Table(
    "arrivals",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("landing_date", Date, primary_key=True),
    Column("batch_id", String(200), primary_key=True),
    Column("part", String(10), primary_key=True),
    Column("checksum", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("absent_at", UtcDateTime),
)
landing_looks = Table(
    "landing_looks",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("landing_date", Date, primary_key=True),
    Column("first_looked_at", UtcDateTime, nullable=False),
    Column("looked_at", UtcDateTime, nullable=False),
)
breakers = Table(
    "breakers",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("trips", Integer, nullable=False),
    Column("next_probe_at", UtcDateTime),
)
discards = Table(
    "discards",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("source", String(100), nullable=False),
    Column("landing_date", Date, nullable=False),
    Column("batch_id", String(200), nullable=False),
    Column("what", String(10), nullable=False),
    Column("reasons", String(2000), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("why", String(MAX_REASON), nullable=False),
    Column("who", String(200), nullable=False),
    Column("discarded_at", UtcDateTime, nullable=False),
)
corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(64), nullable=False),
    Column("number", Integer, nullable=False),  # of the decision on this correction: applied, reverted, applied again
    Column("turn", String(10), nullable=False),
    Column("source", String(100), nullable=False),
    Column("correction", Text, nullable=False),
    Column("deliveries", Text, nullable=False),
    Column("why", String(MAX_REASON), nullable=False),
    Column("who", String(200), nullable=False),
    Column("incident_id", String(200)),
    Column("decided_at", UtcDateTime, nullable=False),
    # Of two people who decide the same at once, one is too late.
    UniqueConstraint("key", "number"),
)
fetches = Table(
    "fetches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String(100), nullable=False),
    Column("landing_date", Date, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("breaker", String(10), nullable=False),
    Column("fetched_at", UtcDateTime, nullable=False),
)
fetch_durations = Table(
    "fetch_durations",
    metadata,
    Column("fetch_id", Integer, primary_key=True, autoincrement=False),
    Column("source", String(100), nullable=False, index=True),
    Column("seconds", Float, nullable=False),
)
build_inputs = Table(
    "build_inputs",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("landing_date", Date, primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("landed_at", DateTime, nullable=False),  # data time, as the manifest says it
)

# Builds and publications

first_published = Table(
    "first_published",
    metadata,
    Column("mart", String(200), primary_key=True),
    Column("event_date", Date, primary_key=True),
    Column("version", String(20), nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
)
builds = Table(
    "builds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("process", Integer, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("error", Text),
    Column("began_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)
fingerprints = Table(
    "fingerprints",
    metadata,
    # What builds were made with, as JSON: once, however many builds were made with the same.
    Column("digest", String(64), primary_key=True),
    Column("content", Text, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
)
build_fingerprints = Table(
    "build_fingerprints",
    metadata,
    Column("build", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String(64), nullable=False),
    Column("started_by", String(200), nullable=False),
    Column("started_from", String(20), nullable=False),
    Column("run", String(100), nullable=False),
    Column("requested_run", String(36)),
)
stage_durations = Table(
    "stage_durations",
    metadata,
    # How long a stage took that ended well; a row per source for those that take one source at a time.
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stage", String(20), nullable=False),
    Column("source", String(100)),
    Column("seconds", Float, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Index("stage_durations_by_stage", "stage", "source", "id"),
)
published_versions = Table(
    "published_versions",
    metadata,
    Column("home", String(36), primary_key=True),
    Column("version", String(20), primary_key=True),
    Column("record", Text, nullable=False),
    Column("state", String(10), nullable=False),
)
homes = Table("homes", metadata, Column("id", String(36), primary_key=True))
models_built = Table(
    "models_built",
    metadata,
    # Counted, not timed: a clock that jumps must not turn the order round.
    Column("number", Integer, primary_key=True),
    Column("version", String(100), nullable=False, unique=True),
    Column("first_built_at", UtcDateTime, nullable=False),
)

# Checks

failed_runs = Table(
    "failed_runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("job", String(100), nullable=False),
    Column("stage", String(200), nullable=False),
    Column("source", String(100)),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("cause", String(40), nullable=False),
    Column("error", Text, nullable=False),
    Column("failed_at", UtcDateTime, nullable=False),
)
holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String(100), nullable=False),
    Column("landing_date", Date, nullable=False),
    Column("is_held", Boolean, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("why", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
check_results = Table(
    "check_results",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("check_name", String(200), nullable=False),
    Column("dataset", String(200), nullable=False),
    Column("source", String(100), nullable=False),
    Column("partition_date", Date, nullable=False),
    Column("status", String(20), nullable=False),
    Column("value", Float),
    Column("threshold", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("sample", Text, nullable=False),
    Column("column_name", String(200)),
    Column("details", Text, nullable=False),
    Column("reason", String(40)),
    Column("run_id", String(64), nullable=False),
    Column("evaluated_at", UtcDateTime, nullable=False),
    Column("stale", Boolean, nullable=False, default=False),
    Index("check_results_by_partition", "partition_date", "check_name"),
    Index("check_results_by_run", "run_id"),
    Index("check_results_by_name", "check_name", "partition_date"),
)

# Quarantine

quarantine_counts = Table(
    "quarantine_counts",
    metadata,
    # What the row quarantine of the warehouse holds, as of the last audit of each landing day: a copy that is read while a
    # build has the warehouse.
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("landing_date", Date, nullable=False),
    Column("source", String(100), nullable=False),
    Column("batch_id", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("rows", Integer, nullable=False),
    Index("quarantine_counts_by_day", "landing_date", "source"),
)
quarantine_copies = Table(
    "quarantine_copies",
    metadata,
    Column("landing_date", Date, primary_key=True),
    Column("copied_at", UtcDateTime, nullable=False),
)
row_counts = Table(
    "row_counts",
    metadata,
    # What became of the rows of each landing day, as of its last audit; each delivered row is counted once.
    Column("landing_date", Date, primary_key=True),
    Column("source", String(100), primary_key=True),
    Column("disposition", String(20), primary_key=True),
    Column("rows", BigInteger, nullable=False),
)

# Incidents

incident_timeline = Table(
    "incident_timeline",
    metadata,
    # The place in the chain: of two writers that follow the same entry, the second one finds its place taken.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("incident_id", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("why", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("incident_id", "number"),
    Index("incident_timeline_by_time", "at"),
)
incident_heads = Table(
    "incident_heads",
    metadata,
    # What the timeline of an incident adds up to, for questions to all of them. Made anew from it where it is behind.
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
    Column("detected_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("awaits_response", Boolean, nullable=False),
    Column("awaits_postmortem", Boolean, nullable=False),
    Index("incident_heads_open", "is_open", "first_day"),
    Index("incident_heads_of_failure", "source", "failure_class"),
    Index("incident_heads_by_position", "position"),
)
incident_signals = Table(
    "incident_signals",
    metadata,
    # A check result belongs to one incident, once, however often a sensor reads it.
    Column("result_id", Integer, primary_key=True, autoincrement=False),
    Column("incident_id", String(200), nullable=False),
)
sensor_cursors = Table(
    "sensor_cursors",
    metadata,
    # Beside the results that it counts: one in Dagster's storage would point past the end of a store that was put back.
    Column("sensor", String(80), primary_key=True),
    Column("position", Integer, nullable=False),
)
incident_keys = Table(
    "incident_keys",
    metadata,
    # What a caller wants to be on the timeline once, however often it says so.
    Column("key", String(300), primary_key=True),
    Column("incident_id", String(200), nullable=False),
)
incident_numbers = Table(
    "incident_numbers", metadata, Column("number", Integer, primary_key=True), Column("incident_id", String(200))
)

# Alerts

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident_id", String(200), nullable=False),
    Column("number", Integer, nullable=False),  # of the timeline entry
    Column("channel", String(80), nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("event", String(20), nullable=False),
    Column("summary", String(200), nullable=False),
    Column("severity", String(2), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", UtcDateTime, nullable=False),
    Column("reason", String(200), nullable=False, default=""),
    Column("message", String(40), nullable=False, default=""),
    Column("capped", Boolean, nullable=False, default=True),  # whether the message counts against the cap
    Column("sent_at", UtcDateTime),
    # Exactly one row, whatever is repeated by restarts and by two daemons.
    UniqueConstraint("incident_id", "number", "channel", "dry_run"),
    Index("alerts_by_status", "status", "channel"),
    Index("alerts_by_time", "channel", "sent_at"),
)
alert_channels = Table(
    "alert_channels",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("dry_run", Boolean, primary_key=True),
    Column("position", Integer, nullable=False),  # how far the timeline has been read for it
    Column("failures", Integer, nullable=False, default=0),  # in a row
    Column("retry_at", UtcDateTime),
    Column("last_sent_at", UtcDateTime),
    Column("last_failed_at", UtcDateTime),
    Column("last_error", String(200), nullable=False, default=""),
    Column("held_by", String(40)),
    Column("held_until", UtcDateTime),
)

# Backfills

backfill_approvals = Table(
    "backfill_approvals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("why", Text, nullable=False),
    Column("guards", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
backfill_decisions = Table(
    "backfill_decisions",
    metadata,
    Column("run", String(100), primary_key=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("guard", String(40)),
    Column("message", Text),
    Column("at", UtcDateTime, nullable=False),
)

# Remediation

replay_ledger = Table(
    "replay_ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("batch_id", String(200), nullable=False),
    Column("source", String(100), nullable=False),
    Column("landing_date", Date, nullable=False),
    Column("how", String(20), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("incident_id", String(200), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("replayed_at", UtcDateTime, nullable=False),
    # The same batch with the same content is replayed once, whoever asks.
    UniqueConstraint("batch_id", "how", "fingerprint"),
)
purges = Table(
    "purges",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String(100), nullable=False),
    Column("landing_date", Date, nullable=False),
    Column("batch_id", String(200), nullable=False),
    Column("landed", String(64), nullable=False),
    Column("now", String(64), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("phase", String(10), nullable=False),
    Column("why", String(MAX_REASON), nullable=False),
    Column("who", String(200), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    # The same content is purged once, whoever asks.
    UniqueConstraint("source", "landing_date", "batch_id", "landed", "now", "phase"),
)

# Recovery

drills = Table(
    "drills",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("drill", String(40), nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Column("rows_lost", Integer, nullable=False),
    Column("recovery_seconds", Float, nullable=False),
    Column("met", Boolean, nullable=False),
    Column("remark", Text, nullable=False),
)

# Audit log

audit_log = Table(
    "audit_log",
    metadata,
    # The place in the chain: of two writers that follow the same entry, the second one finds its place taken.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("command", String(40), nullable=False),
    Column("what", String(MAX_REASON), nullable=False),
    Column("phase", String(10), nullable=False),
    Column("who", String(200), nullable=False),
    Column("why", String(MAX_REASON), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("hash", String(64), nullable=False, server_default=""),
    Column("acted_from", String(20), nullable=False, server_default=""),
)

pauses = Table(
    "pauses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(10), nullable=False),
    Column("name", String(200), nullable=False),
    Column("state", String(10), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("why", String(MAX_REASON), nullable=False),
    Column("until", UtcDateTime),
    Column("at", UtcDateTime, nullable=False),
)

# The API

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    # SHA-256 of the token: 256 random bits need no salt, and nobody who reads the store can use what stands there.
    Column("hash", String(64), nullable=False, unique=True),
    Column("made_by", String(200), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_by", String(200)),
    Column("revoked_at", UtcDateTime),
)
requested_runs = Table(
    "requested_runs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("asked", Text, nullable=False),  # what was asked for, as JSON
    Column("asked_by", String(200), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("idempotency_key", String(200)),
    Column("state", String(20), nullable=False),
    Column("exit_code", Integer),
    Column("result", Text),  # what the command printed, as JSON
    Column("message", Text),
    Column("began_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("asked_from", String(20), nullable=False, server_default=""),
    # Of two requests with one key, the second one is told of the first.
    UniqueConstraint("asked_by", "idempotency_key"),
    Index("requested_runs_by_time", "asked_at"),
)

# Lineage events

openlineage_spool = Table(
    "openlineage_spool",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("event", Text, nullable=False),
    Column("dead_letter_reason", String(200)),
    Index("openlineage_spool_by_state", "dead_letter_reason", "id"),
    sqlite_autoincrement=True,  # no number is given twice: the one that a sender holds stays that of its event
)
