"""Whether a home is in the steady state that an experiment states. Reads only."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb
from sqlalchemy import Engine

from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.formats import joined, number
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.experiments.experiment import Probe, SteadyState
from reliability_platform.lab.experiments.judge import Claim
from reliability_platform.masking import error_text
from reliability_platform.parquet import identifier, literal, scan
from reliability_platform.settings import Settings
from reliability_platform.slo.objectives import objectives_of
from reliability_platform.slo.status import status
from reliability_platform.warehouse.publication import CURRENT, current_version, read_publication
from reliability_platform.warehouse.published import table_files, table_names

NAMED = 3
"""So many incidents, partitions or objectives are named."""


def steady_state(settings: Settings, engine: Engine, wanted: SteadyState, now: datetime) -> list[Claim]:
    """What the experiment asks for, and what is so."""
    return list(_claims(settings, engine, wanted, now))


def _claims(settings: Settings, engine: Engine, wanted: SteadyState, now: datetime) -> Iterator[Claim]:
    if wanted.no_open_incidents:
        yield _none_of("no open incident", [one.id for one in IncidentStore(engine).open()])
    if wanted.nothing_held:
        version = current_version(settings)
        assert version is not None
        yield _none_of("nothing held", sorted(read_publication(settings, version).held))
    if wanted.budgets_left:
        exhausted = [one for one in status(engine, objectives_of(settings), now).objectives if one.budget.exhausted]
        yield _none_of("error budgets left", [f"{one.objective.name} of {one.objective.dataset}" for one in exhausted])
    if wanted.checks_passed:
        last = {one.check: one.status for one in CheckStore(engine).latest(checks=wanted.checks_passed)}
        for check in wanted.checks_passed:
            found = last.get(check, CheckStatus.NOT_EVALUATED)
            yield Claim(check, CheckStatus.PASSED.value, found.value, found is CheckStatus.PASSED)
    for probe in wanted.queries:
        yield _asked(settings, probe)


def _none_of(claim: str, found: list[str]) -> Claim:
    return Claim(claim, "none", f"{len(found):,}: {joined(found, NAMED)}" if found else "none", not found)


def _asked(settings: Settings, probe: Probe) -> Claim:
    limits = [
        f"at {side} {number(limit)}"
        for side, limit in (("least", probe.at_least), ("most", probe.at_most))
        if limit is not None
    ]
    try:
        answer = _answer(settings, probe.query)
    except duckdb.Error as error:
        return Claim(probe.query, " and ".join(limits), f"no answer: {error_text(error)}", None)
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return Claim(probe.query, " and ".join(limits), "the answer is not one row of one number", None)
    held = (probe.at_least is None or answer >= probe.at_least) and (probe.at_most is None or answer <= probe.at_most)
    return Claim(probe.query, " and ".join(limits), number(answer), held)


def _answer(settings: Settings, query: str) -> Any:
    """What a query over the published tables answers with: a number, or something else. It reads nothing but these: a file of
    experiments may come from anybody."""
    folder = (settings.published / CURRENT).resolve()
    with duckdb.connect() as connection:  # an engine of its own: what it may read holds for all of it
        for name in table_names(folder):
            connection.execute(f"create temp view {identifier(name)} as from {scan(*table_files(folder, name))}")
        connection.execute(f"set allowed_directories = [{literal(folder)}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        statements = connection.extract_statements(query)
        if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
            return None  # whatever else it is, it asks nothing
        rows = connection.execute(query).fetchmany(2)
    if len(rows) != 1 or len(rows[0]) != 1:
        return None
    answer = rows[0][0]
    return answer if isinstance(answer, bool | int) else _as_number(answer)


def _as_number(answer: Any) -> float | None:
    try:
        return float(answer)  # a decimal
    except (TypeError, ValueError):
        return None
