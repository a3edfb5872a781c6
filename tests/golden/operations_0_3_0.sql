CREATE TABLE alert_channels (
    name VARCHAR(80) NOT NULL,
    dry_run BOOLEAN NOT NULL,
    position INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    retry_at DATETIME,
    last_sent_at DATETIME,
    last_failed_at DATETIME,
    last_error VARCHAR(200) NOT NULL,
    held_by VARCHAR(40),
    held_until DATETIME,
    PRIMARY KEY (name, dry_run)
);
CREATE TABLE alerts (
    id INTEGER NOT NULL,
    incident_id VARCHAR(200) NOT NULL,
    number INTEGER NOT NULL,
    channel VARCHAR(80) NOT NULL,
    dry_run BOOLEAN NOT NULL,
    event VARCHAR(20) NOT NULL,
    words VARCHAR(200) NOT NULL,
    severity VARCHAR(2) NOT NULL,
    at DATETIME NOT NULL,
    status VARCHAR(20) NOT NULL,
    attempts INTEGER NOT NULL,
    due_at DATETIME NOT NULL,
    reason VARCHAR(200) NOT NULL,
    message VARCHAR(40) NOT NULL,
    capped BOOLEAN NOT NULL,
    sent_at DATETIME,
    PRIMARY KEY (id),
    UNIQUE (incident_id, number, channel, dry_run)
);
CREATE INDEX alerts_by_status ON alerts (status, channel);
CREATE INDEX alerts_by_time ON alerts (channel, sent_at);
CREATE TABLE backfill_approvals (
    id INTEGER NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    actor VARCHAR(200) NOT NULL,
    why TEXT NOT NULL,
    guards TEXT NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE backfill_decisions (
    run VARCHAR(100) NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    guard VARCHAR(40),
    words TEXT,
    at DATETIME NOT NULL,
    PRIMARY KEY (run)
);
CREATE TABLE breakers (
    source VARCHAR(100) NOT NULL,
    state VARCHAR(10) NOT NULL,
    since DATETIME NOT NULL,
    failures INTEGER NOT NULL,
    trips INTEGER NOT NULL,
    next_probe_at DATETIME,
    PRIMARY KEY (source)
);
CREATE TABLE build_inputs (
    source VARCHAR(100) NOT NULL,
    landing_date DATE NOT NULL,
    slot INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    landed_at DATETIME NOT NULL,
    PRIMARY KEY (source, landing_date, slot)
);
CREATE TABLE builds (
    id INTEGER NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    process INTEGER NOT NULL,
    outcome VARCHAR(20) NOT NULL,
    error TEXT,
    began_at DATETIME NOT NULL,
    ended_at DATETIME,
    PRIMARY KEY (id)
);
CREATE TABLE check_results (
    id INTEGER NOT NULL,
    check_name VARCHAR(200) NOT NULL,
    dataset VARCHAR(200) NOT NULL,
    source VARCHAR(100) NOT NULL,
    partition_date DATE NOT NULL,
    verdict VARCHAR(20) NOT NULL,
    value FLOAT,
    threshold TEXT NOT NULL,
    message TEXT NOT NULL,
    sample TEXT NOT NULL,
    column_name VARCHAR(200),
    details TEXT NOT NULL,
    reason VARCHAR(40),
    run_id VARCHAR(64) NOT NULL,
    evaluated_at DATETIME NOT NULL,
    stale BOOLEAN NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX check_results_by_partition ON check_results (partition_date, check_name);
CREATE TABLE discards (
    id INTEGER NOT NULL,
    "key" VARCHAR(64) NOT NULL,
    source VARCHAR(100) NOT NULL,
    landing_date DATE NOT NULL,
    batch_id VARCHAR(200) NOT NULL,
    what VARCHAR(10) NOT NULL,
    reasons VARCHAR(2000) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    rows INTEGER NOT NULL,
    why VARCHAR(500) NOT NULL,
    who VARCHAR(200) NOT NULL,
    discarded_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    UNIQUE ("key")
);
CREATE TABLE drills (
    id INTEGER NOT NULL,
    drill VARCHAR(40) NOT NULL,
    began_at DATETIME NOT NULL,
    rows_lost INTEGER NOT NULL,
    recovery_seconds FLOAT NOT NULL,
    met BOOLEAN NOT NULL,
    remark TEXT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE fetch_durations (
    fetch_id INTEGER NOT NULL,
    source VARCHAR(100) NOT NULL,
    seconds FLOAT NOT NULL,
    PRIMARY KEY (fetch_id)
);
CREATE INDEX ix_fetch_durations_source ON fetch_durations (source);
CREATE TABLE fetches (
    id INTEGER NOT NULL,
    source VARCHAR(100) NOT NULL,
    landing_date DATE NOT NULL,
    refusals INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    breaker VARCHAR(10) NOT NULL,
    fetched_at DATETIME NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE holds (
    id INTEGER NOT NULL,
    source VARCHAR(100) NOT NULL,
    landing_date DATE NOT NULL,
    is_held BOOLEAN NOT NULL,
    actor VARCHAR(200) NOT NULL,
    why TEXT NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE incident_heads (
    incident_id VARCHAR(200) NOT NULL,
    position INTEGER NOT NULL,
    state VARCHAR(20) NOT NULL,
    is_open BOOLEAN NOT NULL,
    is_symptom BOOLEAN NOT NULL,
    severity VARCHAR(2) NOT NULL,
    source VARCHAR(100) NOT NULL,
    failure_class VARCHAR(100) NOT NULL,
    assignee VARCHAR(200),
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    detected_at DATETIME NOT NULL,
    ended_at DATETIME,
    awaits_response BOOLEAN NOT NULL,
    awaits_postmortem BOOLEAN NOT NULL,
    PRIMARY KEY (incident_id)
);
CREATE INDEX incident_heads_by_position ON incident_heads (position);
CREATE INDEX incident_heads_of_failure ON incident_heads (source, failure_class);
CREATE INDEX incident_heads_open ON incident_heads (is_open, first_day);
CREATE TABLE incident_keys (
    "key" VARCHAR(300) NOT NULL,
    incident_id VARCHAR(200) NOT NULL,
    PRIMARY KEY ("key")
);
CREATE TABLE incident_numbers (
    number INTEGER NOT NULL,
    incident_id VARCHAR(200),
    PRIMARY KEY (number)
);
CREATE TABLE incident_signals (
    result_id INTEGER NOT NULL,
    incident_id VARCHAR(200) NOT NULL,
    PRIMARY KEY (result_id)
);
CREATE TABLE incident_timeline (
    id INTEGER NOT NULL,
    incident_id VARCHAR(200) NOT NULL,
    number INTEGER NOT NULL,
    at DATETIME NOT NULL,
    actor VARCHAR(200) NOT NULL,
    kind VARCHAR(40) NOT NULL,
    why TEXT NOT NULL,
    data TEXT NOT NULL,
    previous_hash VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (incident_id, number)
);
CREATE INDEX incident_timeline_by_time ON incident_timeline (at);
CREATE TABLE model_versions (
    version VARCHAR(50) NOT NULL,
    first_built_at DATETIME NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE openlineage_spool (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    set_aside_because VARCHAR(200)
);
CREATE INDEX openlineage_spool_by_state ON openlineage_spool (set_aside_because, id);
CREATE TABLE purges (
    id INTEGER NOT NULL,
    source VARCHAR(100) NOT NULL,
    landing_date DATE NOT NULL,
    batch_id VARCHAR(200) NOT NULL,
    landed VARCHAR(64) NOT NULL,
    now VARCHAR(64) NOT NULL,
    rows INTEGER NOT NULL,
    phase VARCHAR(10) NOT NULL,
    why VARCHAR(500) NOT NULL,
    who VARCHAR(200) NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (source, landing_date, batch_id, landed, now, phase)
);
CREATE TABLE replay_ledger (
    id INTEGER NOT NULL,
    batch_id VARCHAR(200) NOT NULL,
    source VARCHAR(100) NOT NULL,
    landing_date DATE NOT NULL,
    how VARCHAR(20) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    incident_id VARCHAR(200) NOT NULL,
    attempt INTEGER NOT NULL,
    replayed_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (batch_id, how, fingerprint)
);
INSERT INTO check_results VALUES (7, 'stg_orders__missing_customer_id', 'stg_orders', 'orders', '2026-01-03', 'failed', 0.25, '0', 'a quarter is missing', '[]', 'customer_id', '{}', NULL, 'run-1', '2026-01-03 06:00:00.000000', 0);
INSERT INTO alerts VALUES (3, 'INC-0001', 2, 'mail', 0, 'opened', 'INC-0001 opened', 'P1', '2026-01-03 06:01:00.000000', 'sent', 1, '2026-01-03 06:01:00.000000', '', 'm-1', 1, '2026-01-03 06:02:00.000000');
INSERT INTO backfill_decisions VALUES ('backfill-1', '2026-01-01', '2026-01-03', 'days', 'more than 2 days need an approval', '2026-01-04 00:00:00.000000');
INSERT INTO openlineage_spool VALUES (9, '{}', 'refused with 400');
INSERT INTO model_versions VALUES ('0.3.0', '2026-01-01 00:00:00.000000');
