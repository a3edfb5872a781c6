"""Data contracts: what each source promises, and how its latest checks judge that."""

from datetime import date

from sqlalchemy import Engine, func, select

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import newest_results
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.operations.tables import check_results
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.service.queries.checks import CheckCounts


class ContractColumn(QueryAnswer):
    """One column that a source promises."""

    name: str
    """Its name."""
    type: str
    """DuckDB's name of its type."""
    required: bool
    """Whether each row has a value of it."""
    valid_values: list[str]
    """The values that it may have; empty where any may be."""
    minimum: float | None
    """The smallest value allowed."""
    maximum: float | None
    """The largest value allowed."""
    personal: bool
    """Whether it holds personal data, which is shown masked."""
    role: str | None
    """`measure`, `segment` or `entity`, where it is one."""
    description: str
    """What it means."""


class DataContract(QueryAnswer):
    """What one source promises."""

    source: str
    """The source."""
    version: str
    """The version that holds now; several may hold on different landing days."""
    versions: list[str]
    """All versions, the one of the first days first."""
    description: str
    """What it delivers."""
    owner: str
    """Who answers for it."""
    critical: bool
    """Whether critical consumers live on it."""
    kind: str
    """The kind of source that delivers it."""
    key: list[str]
    """The columns that together identify a row."""
    event_time: str
    """The column that says when a row happened."""
    batches_a_day: int
    """Batches on each landing day on which it is due."""
    deadline_minutes: int
    """The last batch of a day lands at most so long after the day's end."""
    mode: str
    """What a delivery may have that nobody announced."""
    rules: list[str]
    """What must hold between its columns, its rows and other sources, in words."""
    columns: list[ContractColumn]
    """Its columns."""
    judged_on: date | None
    """The newest landing day that was judged; null if none was."""
    checks: CheckCounts
    """The results of its checks on that day."""


def data_contracts(engine: Engine) -> list[DataContract]:
    """One per source, in the order of the contracts."""
    return [_contract(engine, CONTRACTS[source]) for source in SOURCES]


def _column(one: Column) -> ContractColumn:
    return ContractColumn(
        name=one.name,
        type=one.type,
        required=one.required,
        valid_values=list(one.valid_values),
        minimum=one.minimum,
        maximum=one.maximum,
        personal=one.pii,
        role=one.role,
        description=one.description,
    )


def _contract(engine: Engine, one: Contract) -> DataContract:
    judged_on, checks = _judged(engine, one.source)
    return DataContract(
        source=one.source,
        version=one.version,
        versions=[version.version for version in one.versions] or [one.version],
        description=one.description,
        owner=one.owner,
        critical=one.critical,
        kind=one.kind,
        key=list(one.key),
        event_time=one.event_time,
        batches_a_day=one.cadence.batches,
        deadline_minutes=one.deadline_minutes,
        mode=one.mode,
        rules=[relation.text for relation in one.relations],
        columns=[_column(column) for column in one.columns],
        judged_on=judged_on,
        checks=checks,
    )


def _judged(engine: Engine, source: str) -> tuple[date | None, CheckCounts]:
    """The newest judged landing day of a source, and what the checks of its own layers say of it."""
    names = [spec.name for spec in CHECKS.values() if tuple(spec.sources) == (source,)]
    table = check_results.c
    with engine.connect() as connection:
        day = connection.execute(
            select(func.max(table.partition_date)).where(
                table.source == source, table.check_name.in_(names), table.stale.is_(False)
            )
        ).scalar()
        newest = newest_results(table.partition_date == day, table.check_name.in_(names)).subquery()
        counts = select(newest.c.status, func.count()).group_by(newest.c.status)
        found = {row[0]: row[1] for row in connection.execute(counts)}
    return day, CheckCounts(**{status.value: found.get(status.value, 0) for status in CheckStatus})
