"""What follows from contracts and is written into a project: dbt sources, staging, silver, their yml, Soda checks, macros.

A generated file says so in its first line, with a digest of the rest: one that a person has edited is not overwritten
unless asked. A table that a person has taken over (`takenOver` in the contract) is left to him.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts import as_generated
from reliability_platform.contracts.contract import Column, Contract, Reference
from reliability_platform.contracts.limits import out_of_range, sql_number, unknown_label
from reliability_platform.contracts.reconciliation import DeclaredMeasure, comparisons, declared_measures
from reliability_platform.contracts.relations import Relation, RelationKind
from reliability_platform.contracts.yaml_text import flow, quoted
from reliability_platform.json_text import pointer
from reliability_platform.parquet import identifier

if TYPE_CHECKING:
    import jinja2

MARK = "Generated from contracts/{what} by `reliability generate`: change that, not this"
_MARKED = re.compile(
    r"Generated from contracts/\S+ by `reliability generate`: change that, not this \(([0-9a-f]{12})\)"
)
PER_SOURCE = {
    "dbt_project/models/sources/bronze_{source}.yml": "source.yml",
    "dbt_project/models/staging/stg_{source}.sql": "stg.sql",
    "dbt_project/models/staging/stg_{source}.yml": "stg.yml",
    "dbt_project/models/intermediate/int_{source}__deduplicated.sql": "int.sql",
    "dbt_project/models/intermediate/int_{source}__deduplicated.yml": "int.yml",
    "soda_checks/stg_{source}.yml": "stg_soda.yml",
    "soda_checks/int_{source}__deduplicated.yml": "int_soda.yml",
}
"""Path in the project → template."""
PER_FEED = "dbt_project/models/feeds/{model}.sql"
"""For each source that stands for one of an own dbt project."""
PER_REFERENCE = "dbt_project/models/sources/reference_{table}.yml"
"""For each reference table that contracts refer to, and that no person has declared."""
PER_TAKEN_OVER = "dbt_project/tests/assert_{model}_has_its_columns.sql"
"""For each table that a person has taken over: it is compared with the contract."""
OF_A_TABLE = {
    "stg_{source}": (
        "rescued", "event_date", "landing_date", "batch_id", "batch_sequence", "batch_attempt", "row_number", "landed_at",
        "reject_reasons", "is_superseded", "disposition",
    ),
    "int_{source}__deduplicated": ("event_date", "landing_date", "batch_id", "row_number"),
}  # fmt: skip
"""Table → the platform's own columns beside those of the contract."""
RECONCILIATION = {
    "dbt_project/models/reconciliation/rec_silver__vs__gold.sql": "silver_vs_gold.sql",
    "dbt_project/models/reconciliation/rec_silver__vs__gold.yml": "silver_vs_gold.yml",
}
AS_GENERATED = f"contracts/{as_generated.NAME}"
OF_ALL = {"dbt_project/macros/contracts.sql": "contracts.sql"}


class Change(StrEnum):
    """What generating would do to a file."""

    SAME = "same"
    NEW = "new"
    CHANGED = "changed"
    EDITED = "edited by hand"
    GONE = "no longer declared"


@dataclass(frozen=True)
class Planned:
    """One file: what it should hold (None where it should not be), and what that changes."""

    path: str
    text: str | None
    change: Change


@cache
def _environment() -> "jinja2.Environment":
    """With brackets of its own: what it writes is a template of dbt."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("reliability_platform.contracts"),
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 (SQL and YAML; names are checked when a contract is read, texts are quoted here)
    )


Place = tuple[str, str]
"""A schema and a name in the warehouse."""


@dataclass(frozen=True)
class FedTable:
    """A reference table of the project that stands for a source or a seed of an own dbt project."""

    table: str
    feeds: str
    columns: Mapping[str, str]
    """Each column, and what whoever wrote the table calls it."""

    @property
    def feed(self) -> str:
        """The model under which that one reads it."""
        return f"src_{self.table}" if "." in self.feeds else self.feeds


@dataclass(frozen=True)
class OwnReads:
    """What an own dbt project reads of what the platform lands."""

    tables: Sequence[FedTable] = ()
    """The reference tables that it reads."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where each of its sources lies, as its yml says."""
    declared: Sequence[Path] = ()
    """The yml files that describe its models: what their measures must add up to may stand there."""

    def place(self, feeds: str) -> Place | None:
        """Where a source lies; None for a seed, which lies where all tables do."""
        source, _, table = feeds.partition(".")
        return self.places.get(feeds, (source, table)) if table else None


NOTHING_READ = OwnReads()


def generated_files(
    contracts: Mapping[str, Contract],
    models: Iterable[str] = (),
    declared: Iterable[str] = (),
    measures: Iterable[DeclaredMeasure] = (),
    own: OwnReads = NOTHING_READ,
) -> dict[str, str]:
    """Every file that follows from the contracts: path below the project → text. `models` are the names of those that
    persons have written, which tests of relationships may lead to, `declared` the reference tables that they have,
    `measures` what they say that marts must add up to, and `own` what an own dbt project reads.
    """
    found = {}
    known = frozenset(models)
    for source, contract in sorted(contracts.items()):
        filling = _filling(contract, known, frozenset(contracts))
        for path, template in PER_SOURCE.items():
            if Path(path).stem.format(source=source) not in contract.taken_over:
                found[path.format(source=source)] = _marked(template, f"{source}.yml", filling)
        found |= dict(_taken_over_files(contract))
        if contract.feed is not None and contract.feed not in contract.taken_over:
            filling["place"] = own.place(str(contract.feeds))
            found[PER_FEED.format(model=contract.feed)] = _marked("feed.sql", f"{source}.yml", filling)
    found |= dict(_reference_files(contracts, frozenset(declared), own.tables))
    for one in own.tables:
        columns = [
            name if name == original else f"{identifier(name)} as {identifier(original)}"
            for name, original in one.columns.items()
        ]
        filling = {"feeds": one.feeds, "table": one.table, "place": own.place(one.feeds), "columns": columns}
        found[PER_FEED.format(model=one.feed)] = _marked("fed_table.sql", "*.yml", filling)
    everything: dict[str, Any] = {
        "contracts": [_filling(one, known, frozenset(contracts)) for _, one in sorted(contracts.items())]
    }
    everything["tables"] = own.tables
    for path, template in OF_ALL.items():
        found[path] = _marked(template, "*.yml", everything)
    found |= _reconciliation_files(list(measures))
    return found | {AS_GENERATED: as_generated.text_of(contracts)}


def _taken_over_files(contract: Contract) -> Iterator[tuple[str, str]]:
    """A test of dbt for each table that a person writes instead: what reads it needs the columns of the contract."""
    for table, own in OF_A_TABLE.items():
        model = table.format(source=contract.source)
        if model in contract.taken_over:
            columns = [*((one.name, one.type) for one in contract.columns), *((name, "") for name in own)]
            filling = {"source": contract.source, "model": model, "columns": columns}
            yield PER_TAKEN_OVER.format(model=model), _marked("taken_over.sql", f"{contract.source}.yml", filling)


def _reconciliation_files(measures: Sequence[DeclaredMeasure]) -> dict[str, str]:
    """The model that compares what marts say with what silver adds up to; none where nothing is declared."""
    if not measures:
        return {}
    marts: dict[str, list[DeclaredMeasure]] = {}
    for one in measures:
        marts.setdefault(one.mart, []).append(one)
    filling = {"comparisons": comparisons(measures), "marts": marts}
    return {path: _marked(template, "*.yml", filling) for path, template in RECONCILIATION.items()}


def _reference_files(
    contracts: Mapping[str, Contract], declared: frozenset[str], fed: Sequence[FedTable]
) -> Iterator[tuple[str, str]]:
    """The sources of dbt that reference tables are, each with the columns that contracts refer to; of one that an own dbt
    project reads, all.
    """
    sources, found = frozenset(contracts), dict[str, dict[str, set[str]]]()
    for source, contract in contracts.items():
        for link in _references(contract, sources):
            found.setdefault(link.to.table, {}).setdefault(link.to.column, set()).add(source)
    for one in fed:
        for column in one.columns:
            found.setdefault(one.table, {}).setdefault(column, set()).add(one.feeds)
    for table, keys in sorted(found.items()):
        if table not in declared:
            referrers = ", ".join(sorted(set[str]().union(*keys.values())))
            filling = {"table": table, "referrers": referrers, "columns": sorted(keys)}
            yield PER_REFERENCE.format(table=table), _marked("reference.yml", "*.yml", filling)


def planned(project: Path, contracts: Mapping[str, Contract], own: OwnReads = NOTHING_READ) -> list[Planned]:
    """What generating would change in a project, file by file; nothing is written."""
    measures = declared_measures(project, contracts, own.declared)
    wanted = generated_files(contracts, _written_models(project), _declared_references(project), measures, own)
    found = []
    for path, text in sorted(wanted.items()):
        place = project / path
        if not place.exists():
            found.append(Planned(path, text, Change.NEW))
        elif (there := place.read_text(encoding="utf-8")) == text:
            found.append(Planned(path, text, Change.SAME))
        else:
            edited = path != AS_GENERATED and is_edited(there)
            found.append(Planned(path, text, Change.EDITED if edited else Change.CHANGED))
    taken_over = {name for contract in contracts.values() for name in contract.taken_over}
    for pattern in (*PER_SOURCE, PER_REFERENCE, PER_FEED, PER_TAKEN_OVER, *RECONCILIATION):
        for place in sorted(project.glob(pattern.format(source="*", table="*", model="*"))):
            path = place.relative_to(project).as_posix()
            if (
                path not in wanted
                and place.stem not in taken_over
                and _MARKED.search((text := place.read_text(encoding="utf-8")).partition("\n")[0])
            ):
                found.append(Planned(path, None, Change.EDITED if is_edited(text) else Change.GONE))
    return found


def is_edited(text: str) -> bool:
    """Whether a person has changed a generated file, or has written it."""
    said = _MARKED.search(text.partition("\n")[0])
    return said is None or said[1] != _digest(_body(text))


def _written_models(project: Path) -> Iterator[str]:
    return (path.stem for path in (project / "dbt_project" / "models").rglob("*.sql"))


def _declared_references(project: Path) -> Iterator[str]:
    """The reference tables that files of persons declare: dbt takes each but once."""
    for path in sorted((project / "dbt_project" / "models").rglob("*.y*ml")):
        text = path.read_text(encoding="utf-8")
        if "reference" in text and not _MARKED.search(text.partition("\n")[0]):
            for one in (yaml.safe_load(text) or {}).get("sources") or ():
                if one.get("name") == "reference":
                    yield from (table["name"] for table in one.get("tables") or ())


def render(template: str, filling: Mapping[str, Any]) -> str:
    """A file as its template has it."""
    return _environment().get_template(f"{template}.j2").render(filling)


def _marked(template: str, what: str, filling: Mapping[str, Any]) -> str:
    body = render(template, filling)
    said = f"{MARK.format(what=what)} ({_digest(body)})"
    return f"{{# {said}. #}}\n{body}" if template.endswith(".sql") else f"# {said}.\n{body}"


def _body(text: str) -> str:
    return text.partition("\n")[2]


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:12]


def _filling(contract: Contract, models: frozenset[str], sources: frozenset[str]) -> dict[str, Any]:
    references = _references(contract, sources)
    moments = [one.name for one in contract.columns if one.type == "TIMESTAMP"]
    key = contract.key
    columns = [_column(one, contract, models) for one in contract.columns]
    return {
        "source": contract.source,
        "description": _yaml_text(f"Grain: {_grain(contract)}."),
        "grain": " and ".join(f"`{name}`" for name in key),
        "key": key,
        "key_literal": "[" + ", ".join(f"'{name}'" for name in key) + "]",
        "key_list": ", ".join(key),
        "key_tuple": _tuple(key),
        "repeated_list": ", ".join(f"repeated.{name}" for name in key),
        "unique_key": key[0] if len(key) == 1 else f"[{', '.join(key)}]",
        "columns": columns,
        "moments": moments,
        "event_time": contract.event_time,
        "event_date": _event_date(contract),
        "rules": list(_rules(contract, references)),
        "reference_tables": sorted({one.to.table for one in references}),
        "references": [
            {
                "table": one.to.table,
                "alias": "" if one.name == one.to.table else f" as {one.name}",
                "name": one.name,
                "column": one.column,
                "key": one.to.column,
            }
            for one in references
        ],
        "read_from_text": [one.name for one in contract.columns if contract.may_come_as_text(one)],
        "missing": [one.name for one in contract.columns if one.is_never_missing],
        "nested": [one.name for one in contract.columns if one.json],
        "feeds": contract.feeds,
        "feed": contract.feed,
    }


def _grain(contract: Contract) -> str:
    told = contract.description.strip().rstrip(".")
    return f"one delivered row of {contract.source}" + (f". {told}" if told else "")


def _column(column: Column, contract: Contract, models: frozenset[str]) -> dict[str, Any]:
    limits = [
        f"valid {word}: {sql_number(limit)}"
        for word, limit in (("min", column.minimum), ("max", column.maximum))
        if limit is not None
    ]
    allowed = contract.allowed_values(column)
    is_taken = all(map(_soda_takes, allowed))
    return {
        "name": column.name,
        "description": _yaml_text(_described(column)),
        "allowed": flow(allowed) if allowed and is_taken else "",
        "is_allowed_by_staging": bool(allowed) and not is_taken,
        "limits": limits,
        "selected": _selected(column),
        "tests": list(_tests(column, contract, models)),
        "shown_as": _shown_as(column),
        "written_apart": next((kind for kind in ("timestamp", "decimal") if column.type.lower().startswith(kind)), ""),
        "delivered": f"{column.name} as {identifier(column.physical_name)}" if column.physical_name else column.name,
    }


def _described(column: Column) -> str:
    """What its contract says, else what it promises: a column without a word would be a table without a description."""
    if column.description:
        return column.description
    said = [", ".join(column.valid_values)] if column.valid_values else []
    if column.references:
        said.append(f"one of {column.references}")
    return f"{column.name}: {'; '.join(said)}." if said else f"{column.name}, {column.type}, as delivered."


def _shown_as(column: Column) -> str:
    if column.pii:
        return "personal"
    if column.json:
        return "free_text"
    return "label" if column.valid_values else ""


def _selected(column: Column) -> str:
    if not column.json:
        return column.name
    return f"case when _personal_in_{column.name} then 'masked: personal data' else {column.name} end as {column.name}"


def _tests(column: Column, contract: Contract, models: frozenset[str]) -> Iterator[str]:
    if column.name in contract.key:
        if len(contract.key) == 1:
            yield "unique: {config: {where: __window__}}"
        yield "not_null: {config: {where: __window__}}"
    if column.references:
        to = column.references
        by_all = all(_refers(one, column.name, to) for one in contract.versions)
        if by_all and f"dim_{to.table}" in models:
            yield (
                f"relationships:\n              arguments: {{to: ref('dim_{to.table}'), field: {to.column}}}\n"
                "              config: {where: __window__}"
            )


def _rules(source: Contract, references: Iterable["_Join"]) -> Iterator[tuple[str, str]]:
    """Code → the condition under which a row is rejected for it, as an expression of dbt's templates: where a source has
    several versions, that of the version by which the row's landing day is read."""
    versions = source.versions or (source,)
    told = [dict(_rules_of_columns(one, source)) for one in versions]
    for version, rules in zip(versions, told, strict=True):
        rules |= {
            f"{one.column}_unknown_reference": _text(
                f"live.{one.column} is not null and {one.name}.{one.to.column} is null"
            )
            for one in references
            if _refers(version, one.column, one.to)
        }
        rules |= {one.code: _violated(one) for one in version.relations if one.of_rows}
    for code in dict.fromkeys(code for rules in told for code in rules):
        own = [rules.get(code) for rules in told]
        first = own[0]
        yield code, first if first is not None and set(own) == {first} else _by_version(versions, own)
    zone = f", '{source.day_zone}'" if source.day_zone != "UTC" else ""
    yield f"{source.event_time}_in_future", f"is_in_future('live.{source.event_time}'{zone})"
    yield "key_conflict", _text("conflicts._row_number is not null")


def _violated(relation: Relation) -> str:
    """Whether a row breaks a rule. A person's own SQL may fail on a value; one row must not end the build of all."""
    broken = relation.broken
    if relation.since is not None:
        broken = f"live.landing_date >= date '{relation.since}' and ({broken})"
    return _text(f"try({broken})" if relation.kind is RelationKind.EVERY_ROW else broken)


def _refers(contract: Contract, column: str, to: Reference) -> bool:
    return any(one.name == column and one.references == to for one in contract.columns)


def _by_version(versions: Sequence[Contract], own: Sequence[str | None]) -> str:
    """One condition of those of the versions, as an expression: each counts on its own landing days."""
    parts = []
    for number, (version, condition) in enumerate(zip(versions, own, strict=True)):
        later = versions[number + 1].holds_from if number + 1 < len(versions) else None
        days = (
            [f"live.landing_date >= date '{version.holds_from}'"] if version.holds_from is not None and number else []
        )
        days += [f"live.landing_date < date '{later}'"] if later is not None else []
        if condition is not None:
            opening = _text(f"({' and '.join(days)} and (")
            parts.append(f"{opening} ~ {condition} ~ {_text('))')}")
    return f" ~ {_text(' or ')} ~ ".join(parts)


def _rules_of_columns(contract: Contract, source: Contract) -> Iterator[tuple[str, str]]:
    """What one version says of its columns, about rows whose columns have the types of the newest."""
    newest = {one.name: one for one in source.columns}
    for column in contract.columns:
        name, live = column.name, f"live.{column.name}"
        is_of_type = column.type == newest[name].type
        is_moment = newest[name].type == "TIMESTAMP"
        read_from_text = column.is_read_from_text(contract.file_format) and is_of_type
        if column.required and not column.json:
            missing = f"live.delivered_{name} is null" if is_moment else f"{live} is null"
            beside = name if is_of_type else contract.kept_as(name)
            missing = f"{missing} and not {_unread(beside)}" if read_from_text or not is_of_type else missing
            yield (
                f"{name}_missing",
                _text(f"live.landing_date >= date '{column.since}' and {missing}" if column.since else missing),
            )
        if read_from_text:
            yield f"{name}_unreadable", _text(_unread(name))
        if is_moment:
            yield f"{name}_impossible", f"is_impossible('live.delivered_{name}')"
        if column.json:
            # No JSON object or array, as RFC 8259 has it; nothing at all is none either where something was promised.
            malformed = f"live._fault_of_{name} = 'malformed'"
            yield f"{name}_malformed", _text(f"{live} is null or {malformed}" if column.required else malformed)
            # Nested deeper than recursive parsers survive, or longer than any honest payload: kept away from every parser.
            yield f"{name}_poisonous", _text(f"live._fault_of_{name} = 'poisonous'")
            yield f"{name}_personal_data", _text(f"live._personal_in_{name}")
        value = live if is_of_type else f"try_cast({live} as {column.type})"
        if (outside := out_of_range(column, value)) is not None:
            yield f"{name}_out_of_range", _text(outside)
        if (unknown := unknown_label(contract.allowed_values(column), live, newest[name].type)) is not None:
            yield f"{name}_unknown_value", _text(unknown)


def _unread(column: str) -> str:
    """Whether what came for a column was a text that is not of its type: it is kept beside it."""
    path = pointer(column).replace("'", "''")
    return f"coalesce(json_extract_string(live._rescued, '{path}') is not null, false)"


def _event_date(contract: Contract) -> str:
    moment = f"live.{contract.event_time}"
    event_time = next(one for one in contract.columns if one.name == contract.event_time)
    if contract.day_zone == "UTC" or event_time.type == "DATE":
        return f"cast({moment} as date)"
    return f"{{{{ day_in_zone('{moment}', '{contract.day_zone}') }}}}"


@dataclass(frozen=True)
class _Join:
    """A column whose values must be in the reference data."""

    column: str
    to: Reference
    name: str
    """What the joined table is called: two columns may lead to one."""


def _references(contract: Contract, sources: frozenset[str]) -> list[_Join]:
    """Those to reference data; what refers to another source is compared after both have been built."""
    links = [(one.name, one.references) for one in contract.columns if one.references]
    tables = Counter(to.table for _, to in links)
    return [
        _Join(column, to, to.table if tables[to.table] == 1 else f"{to.table}_of_{column}")
        for column, to in links
        if to.table not in sources
    ]


def _tuple(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _text(condition: str) -> str:
    """A literal of dbt's templates."""
    return json.dumps(condition, ensure_ascii=False)


def _yaml_text(text: str) -> str:
    """A text of YAML that dbt's templates leave as it is."""
    return quoted(re.sub(r"\{(?=[{%#])", "{ ", " ".join(text.split())))


def _soda_takes(value: str) -> bool:
    """Whether a value reaches SQL through Soda as it is: quotes are not doubled there, backslashes are, and the statement is
    a template. Of columns with another one, the rows are counted that staging rejects for it.
    """
    return value.isprintable() and not set(value) & set("'\\{}$")


def write(project: Path, changes: Iterable[Planned]) -> None:
    """Make the project hold what is planned: files are written whole, those that are no longer declared are removed."""
    for one in changes:
        if one.text is None:
            (project / one.path).unlink(missing_ok=True)
        elif one.change is not Change.SAME:
            write_atomically(project / one.path, one.text.encode())
