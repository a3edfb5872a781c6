"""What decides about rows beside the models and bronze, as a table of the warehouse that every dbt process finds there.

As variables of the environment a build by hand would lack them, and make other rows of the same bronze without a word.
"""

import duckdb

from reliability_platform.contracts import SOURCES
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dead_letters import rules_fingerprint

RULES = "build_rules"
LATENESS = "allowed_lateness_days"


def note_build_rules(settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    """Write what differs. The watermark stays what the last build had where nobody says another one."""
    connection.execute(f"create table if not exists {RULES} (name varchar primary key, value varchar)")
    known = dict(connection.execute(f"select name, value from {RULES}").fetchall())
    rules = {f"reading_{source}": rules_fingerprint(settings, source) for source in SOURCES}
    if LATENESS in settings.model_fields_set or LATENESS not in known:
        rules[LATENESS] = str(settings.allowed_lateness_days)
    changed = [[name, value] for name, value in rules.items() if known.get(name) != value]
    if changed:
        connection.executemany(f"insert or replace into {RULES} values (?, ?)", changed)


def allowed_lateness_days(settings: Settings, connection: duckdb.DuckDBPyConnection) -> int:
    """The watermark of the rows in the warehouse; of one that an earlier release built, that of the settings."""
    try:
        found = connection.execute(f"select value from {RULES} where name = '{LATENESS}'").fetchone()
    except duckdb.CatalogException:
        found = None
    return int(found[0]) if found is not None else settings.allowed_lateness_days
