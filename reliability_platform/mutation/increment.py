"""The project as its next run finds it: what grows was built from the earlier rows, and now the newest ones are there.

Models that dbt brings up to date and snapshots are first built from the earlier rows of their inputs. On a second private
copy with these tables dbt then runs the project with all rows; the statements that it executes for each such model are kept, whatever
its strategy. A mutant of the newest rows is built by executing them again. So nothing is known here of `merge`,
`delete+insert` or snapshots, and what comes of the clean rows is held against what dbt has made of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from reliability_platform.mutation.clean_build import CleanBuild
from reliability_platform.mutation.columns import ColumnFacts, InputTable, learn
from reliability_platform.mutation.dbt_commands import DbtCommands
from reliability_platform.mutation.direct_build import BEFORE, DirectBuild, table_of_before
from reliability_platform.mutation.mutants import INCREMENT, Mutant, mutants_of
from reliability_platform.mutation.private_copy import PrivateFolder
from reliability_platform.mutation.private_profile import PrivateProfile, another_copy, attached, may_open
from reliability_platform.mutation.project import LeftOut, Model, ProjectInput
from reliability_platform.mutation.sql_text import Query, literal, quoted

LEAST_NEWEST = 0.05
"""The newest part is the fewest latest days that hold such a share of the rows of the largest input."""
NEWEST_RUN = ("config.materialized:incremental+", "resource_type:snapshot+")
CHANGES_DATA = re.compile(r"(create|insert|delete|update|merge|alter|truncate)\b", re.IGNORECASE)
TEMPORARY = re.compile(r"^create\s+(?:or\s+replace\s+)?temp(?:orary)?\s+table\s+(\S+)", re.IGNORECASE)
BY_DBT = "it, or a model above it, is built by dbt itself"
NEW_ROWS_MISSING = "its next run on the clean data fails"

Inputs = Sequence[tuple[ProjectInput, InputTable]]


@dataclass(frozen=True)
class NewestPart:
    """The rows of an input that its next delivery brings."""

    earlier: str
    """Conditions on its rows."""
    newest: str


@dataclass(frozen=True)
class NextRun:
    """The project with what grows in the state of before its next run."""

    build: DirectBuild
    mutants: tuple[Mutant, ...]


def next_run(
    dbt: DbtCommands,
    folder: PrivateFolder,
    profile: PrivateProfile,
    clean: CleanBuild,
    build: DirectBuild,
    inputs: Inputs,
    seed: int,
) -> NextRun | None:
    """Prepare it; None where nothing grows, or no input has newer and earlier rows. What cannot be judged is in `left_out` of its project."""
    growing = [one for one in build.project.models if one.grows]
    above = [
        (one, table) for one, table in inputs if any(each.grows for each in build.project.downstream(one.relation))
    ]
    parts = newest_parts(build.connection, above, clean.watermarks)
    if not growing or not parts:
        return None
    before = folder.path / "before.duckdb"
    unbuilt = _keep_before(build, before, {one: parts[one.key].earlier for one, _ in above if one.key in parts})
    there, copied = another_copy(folder, profile, "next_run")
    _put_before(copied, before, [one for one in growing if one.key not in unbuilt])
    executed: dict[str, list[str]] = {}
    without = [f"--exclude-resource-type={one}" for one in ("seed", "test", "unit_test")]
    results = dbt.elsewhere(there).results("build", "--select", *NEWEST_RUN, *without, executed=executed)
    failed = {one.node.unique_id for one in results if str(one.status) not in ("success", "skipped")}
    compiled = {one.node.unique_id: str(getattr(one.node, "compiled_code", None) or "") for one in results}
    by_dbt = {one.relation for one in build.project.models if one.through_dbt}
    below = {each.key for one in by_dbt for each in build.project.downstream(one)}
    unbuilt |= {one.key: BY_DBT for one in build.project.models if one.relation in by_dbt or one.key in below}
    lacks = {**unbuilt, **dict.fromkeys(failed - unbuilt.keys(), NEW_ROWS_MISSING)}
    project = build.project
    models = (
        _again(one, compiled.get(one.key, ""), executed.get(one.key, ()), clean.relations) for one in project.models
    )
    known = {one.key for one in project.models}
    project = replace(project, models=tuple(models), left_out=(), _below={}).without(
        {key: why for key, why in lacks.items() if key in known}, {}
    )
    second = DirectBuild(project, copied, profile.extensions, folder.path, before)
    second.read_in(*may_open(profile))
    project = second.project.without(*second.settle())
    second.beside = build.beside
    second.project = replace(project, left_out=tuple(_on_increment(project.left_out)))
    mutants = [each for one, table in above for each in _mutants(second, one, table, parts.get(one.key), seed)]
    return NextRun(second, tuple(mutants))


def _on_increment(left_out: Iterable[LeftOut]) -> Iterable[LeftOut]:
    return (LeftOut(one.name, f"on the increment: {one.why}") for one in left_out)


def newest_parts(
    connection: duckdb.DuckDBPyConnection, inputs: Inputs, watermarks: Iterable[str]
) -> dict[str, NewestPart]:
    """By key, the inputs that have rows on both sides of one day: the same for all, that of the largest input."""
    named = frozenset(watermarks)
    by_time = {one.key: (_time_of(table, named), table) for one, table in inputs}
    day = None
    for column, table in sorted(by_time.values(), key=lambda pair: -pair[1].rows):
        day = day or (None if column is None else _first_newest_day(connection, table, column))
    parts = {}
    for key, (column, table) in by_time.items():
        if column is None or day is None:
            continue
        newest = f"{column.sql} >= date {literal(day)}"
        earlier = f"({newest}) is not true"
        row = connection.execute(
            f"select count(*) filter (where {newest}), count(*) filter (where {earlier}) from {table.relation}"
        ).fetchone()
        if row is not None and all(row):
            parts[key] = NewestPart(earlier, newest)
    return parts


def _time_of(table: InputTable, watermarks: frozenset[str]) -> ColumnFacts | None:
    """The column that says when a row came: one that models ask the latest of, else that of most different values."""
    return max(table.times, key=lambda one: (one.name.lower() in watermarks, one.distinct), default=None)


def _first_newest_day(connection: duckdb.DuckDBPyConnection, table: InputTable, column: ColumnFacts) -> str | None:
    days = f"select {column.sql}::date as day, count(*) as counted from {table.relation} where {column.sql} is not null group by 1"
    later = f"select day, sum(counted) over (order by day desc) as later from ({days})"
    row = connection.execute(
        f"select max(day) filter (where later >= {LEAST_NEWEST} * {table.rows}), min(day) from ({later})"
    ).fetchone()
    assert row is not None
    return None if row[0] is None or row[0] == row[1] else str(row[0])


def _keep_before(build: DirectBuild, file: Path, earlier: Mapping[ProjectInput, str]) -> dict[str, str]:
    build.connection.execute(f"attach {literal(str(file))} as {quoted(BEFORE)}")
    with build.room_in(BEFORE) as room:
        rows = {
            one: f"select * from {build.reads(one.relation)} where {condition}" for one, condition in earlier.items()
        }
        return room.keeps(rows)


def _put_before(catalogs: Mapping[str, Path], before: Path, growing: Iterable[Model]) -> None:
    """Let the tables of models that grow hold what they held before the newest rows came; constraints stay."""
    with attached(catalogs) as connection:
        connection.execute(f"attach {literal(str(before))} as {quoted(BEFORE)} (read_only)")
        for model in growing:
            connection.execute(f"delete from {model.relation}")
            connection.execute(f"insert into {model.relation} by name from {table_of_before(model)}")


def _again(model: Model, compiled: str, executed: Iterable[str], relations: frozenset[str]) -> Model:
    """A model with what its next run executes: of a model that grows, the statements that change its table."""
    if not model.grows or not compiled:
        return model
    names, replay = {model.relation}, []
    for statement in executed:
        # The rows to add are put aside first, by a query that need not name the table they are for.
        aside = set(TEMPORARY.findall(statement))
        if aside or (CHANGES_DATA.match(statement) and any(name in statement for name in names)):
            names |= aside
            replay.append(Query.of(statement, relations))
    return replace(model, query=Query.of(compiled, relations), replay=tuple(replay))


def _mutants(
    build: DirectBuild, given: ProjectInput, table: InputTable, part: NewestPart | None, seed: int
) -> Iterable[Mutant]:
    """Of an input without newer rows all rows are hit, as the next run finds them."""
    place = build.reads(given.relation)
    if part is None:
        return mutants_of(given, replace(table, relation=place), seed, INCREMENT)
    newest = learn(build.connection, f"(select * from {place} where {part.newest})")
    kept = f"select * from {place} where {part.earlier}"
    return mutants_of(given, newest, seed, INCREMENT, kept)
