"""Finds rules that the rows of a source have kept, by set-based SQL over the rows of its past.

Wide tables have many pairs of columns. So candidates are dropped by what costs little, first: types, patterns of empty values
(columns that are empty in the same rows are one), and a sample of the rows, chosen by the hash of the key. What is left is
asked of all rows, so a proposal has no counter-example among them. Limits that cut a search short are told in `Search.notes`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, permutations
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.relations import LabelCondition, Relation, RelationKind
from reliability_platform.contracts.types import is_number
from reliability_platform.counted import counted
from reliability_platform.parquet import identifier
from reliability_platform.profiles.metrics import companions, silver
from reliability_platform.suggestions.evidence import LEAST_UNRELATED, Evidence, RuleProposal

SAMPLE_ROWS = 100_000
FIRST_LOOK = 2_000
"""Rows by which most pairs are dropped, as arrays."""
MAX_NUMBERS = 60
"""Numbers that are compared and added up: 1,770 pairs."""
MAX_DETERMINANTS = 40
"""Columns that may determine others, those with the fewest values first."""
MAX_THINGS = 20
"""Columns of which at most one row is looked for."""
MAX_LABELS = 20
"""Values that a column may have to be one of labels."""
MAX_PATTERNS = 40
"""Patterns of empty values that are compared with each other."""
LEAST_SUMS = 64
"""Rows that must show a sum before it is asked of all."""
Array = NDArray[Any]
_PAST, _SAMPLE = "past_rows", "sampled_rows"


@dataclass
class Search:
    """What was found, and what was left out of the search."""

    proposals: list[RuleProposal] = field(default_factory=list)
    rows: int = 0
    candidates: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    relation: Relation
    unrelated: float


@dataclass
class _Rows:
    """The past of a source as tables of a connection."""

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    columns: list[Column]
    rows: int
    sampled: int

    @cached_property
    def first_look(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """A few rows as arrays: of numbers and moments their size, nan where empty; of each column a code, 0 where empty."""
        sized = [one for one in self.columns if is_number(one.type) or _is_moment(one)]
        sizes = (f"{_size(one)} as {identifier(one.name)}" for one in sized)
        codes = (
            f"coalesce(hash({identifier(one.name)}) | 1, 0) as {identifier('code ' + one.name)}" for one in self.columns
        )
        found = self.connection.execute(
            f"select {', '.join((*sizes, *codes))} from {_SAMPLE} order by place limit {FIRST_LOOK}"
        ).fetchnumpy()
        as_size = {one.name: np.ma.filled(np.ma.asarray(found[one.name]).astype(float), np.nan) for one in sized}
        return as_size, {one.name: np.asarray(found[f"code {one.name}"]) for one in self.columns}

    def one(self, terms: Sequence[str], table: str) -> list[float]:
        """Aggregates over a table, in batches that keep a statement small."""
        found: list[float] = []
        for start in range(0, len(terms), 500):
            row = self.connection.execute(f"select {', '.join(terms[start : start + 500])} from {table}").fetchone()
            found += [0 if value is None else value for value in row or ()]
        return found


def _size(column: Column) -> str:
    name = identifier(column.name)
    return f"epoch_us({name}::timestamp)::double" if _is_moment(column) else f"{name}::double"


def search(
    connection: duckdb.DuckDBPyConnection, contract: Contract, days: str, sample_rows: int = SAMPLE_ROWS
) -> Search:
    """Rules that the rows of silver have kept on the landing days of which the SQL condition `days` holds."""
    columns = [one for one in contract.columns if not one.json]
    names = ", ".join(identifier(one.name) for one in columns)
    key = ", ".join(identifier(one) for one in contract.key)
    connection.execute(
        f"create or replace temp table {_PAST} as select {names}, landing_date, batch_id, row_number, hash({key}) as its_hash "
        f"from {silver(contract.source)} where {days}"
    )
    [(rows,)] = connection.execute(f"select count(*) from {_PAST}").fetchall()
    found = Search(rows=rows)
    if not rows:
        return found
    share = max(1, -(-rows // sample_rows))
    connection.execute(
        f"create or replace temp table {_SAMPLE} as select *, row_number() over (order by its_hash, batch_id, row_number) - 1 as place "
        f"from {_PAST} where its_hash % {share} = 0"
    )
    [(sampled,)] = connection.execute(f"select count(*) from {_SAMPLE}").fetchall()
    if share > 1:
        found.notes.append(
            f"candidates were looked for in {counted(sampled, 'row')} of {counted(rows, 'row')}; each was then asked of all rows"
        )
    past = _Rows(connection, contract, columns, rows, sampled)
    try:
        row_rules = [*_orders(past, found), *_sums(past, found), *_presence(past, found)]
        found.proposals += _of_rows(past, row_rules)
        for kind in (_determined, _at_most_one, _same_as):
            found.proposals += kind(past, found)
    finally:
        for table in (_PAST, _SAMPLE):
            connection.execute(f"drop table if exists {table}")
    found.proposals = [
        replace(one, evidence=replace(one.evidence, candidates=found.candidates)) for one in found.proposals
    ]
    found.proposals = [one for one in found.proposals if one.evidence.is_enough]
    return found


def _of_rows(past: _Rows, candidates: Sequence[_Candidate]) -> list[RuleProposal]:
    """Candidates that no row of the past breaks."""
    terms = []
    for one in candidates:
        could = _could_break(one.relation)
        terms += [
            f"count(*) filter (where {could})",
            f"count(distinct landing_date) filter (where {could})",
            f"count(*) filter (where {one.relation.broken})",
        ]
    told = past.one(terms, f"{_PAST} as live")
    return [
        RuleProposal(one.relation, Evidence(int(told[3 * number]), int(told[3 * number + 1]), one.unrelated, 0))
        for number, one in enumerate(candidates)
        if not told[3 * number + 2]
    ]


def _could_break(relation: Relation) -> str:
    """Whether a row could break a rule: where conditions hold, or all that is compared is there."""
    if relation.where:
        return " and ".join(one.sql("live") for one in relation.where)
    if relation.kind is RelationKind.EVERY_ROW and " is null" in relation.sql:
        return f"live.{identifier(relation.columns[0])} is null"
    return " and ".join(f"live.{identifier(one)} is not null" for one in relation.columns)


def _is_moment(column: Column) -> bool:
    return column.type.startswith(("TIMESTAMP", "DATE"))


def _numbers(past: _Rows, found: Search) -> list[Column]:
    """Numbers that say how much: no keys, no references, nothing that is somebody's."""
    all_of_them = [
        one
        for one in past.columns
        if is_number(one.type)
        and one.name not in past.contract.key
        and one.references is None
        and not one.pii
        and one.role in (None, "measure")
    ]
    if len(all_of_them) > MAX_NUMBERS:
        note = f"of {counted(len(all_of_them), 'number')} the first {MAX_NUMBERS} were compared and added up"
        found.notes += [note] if note not in found.notes else []
    return all_of_them[:MAX_NUMBERS]


def _apart(past: _Rows) -> str:
    """A sample beside itself, each row with the columns of another one as `other`: as if nothing tied them together."""
    return f"{_SAMPLE} as live join {_SAMPLE} as other on other.place = (live.place + 7919) % {past.sampled}"


def _orders(past: _Rows, found: Search) -> Iterator[_Candidate]:
    """Pairs of moments or of numbers of which one is never above the other, or which are always equal."""
    families = [
        [one.name for one in past.columns if _is_moment(one) and one.name],
        [one.name for one in _numbers(past, found)],
    ]
    texts = [one.name for one in past.columns if one.type == "VARCHAR" and not one.pii]
    pairs = [pair for family in families for pair in permutations(family, 2)]
    equal = [pair for family in (*families, texts) for pair in combinations(family, 2)]
    found.candidates += len(pairs) + len(equal)

    sizes, codes = past.first_look
    with np.errstate(invalid="ignore"):
        equal = [
            (a, b)
            for a, b in equal
            if not ((codes[a] != codes[b]) & (codes[a] != 0) & (codes[b] != 0)).any()
            or (a in sizes and b in sizes and not (np.abs(sizes[a] - sizes[b]) > 0).any())
        ]
        pairs = [(a, b) for a, b in pairs if not (sizes[a] > sizes[b]).any()]

    def kept(wanted: list[tuple[str, str]], sign: str) -> list[tuple[str, str]]:
        terms = [f"count(*) filter (where {identifier(a)} {sign} {identifier(b)})" for a, b in wanted]
        return [pair for pair, broken in zip(wanted, past.one(terms, _SAMPLE), strict=True) if not broken]

    same = kept(equal, "<>")
    ordered = [pair for pair in kept(pairs, ">") if pair not in same and pair[::-1] not in same]
    shuffled = _apart(past)
    for chosen, sign in ((same, "<>"), (ordered, ">")):
        terms = [
            f"count(*) filter (where live.{identifier(a)} {sign} other.{identifier(b)}) / "
            f"nullif(count(live.{identifier(a)} = other.{identifier(b)}), 0)"
            for a, b in chosen
        ]
        for (a, b), unrelated in zip(chosen, past.one(terms, shuffled), strict=True):
            if sign == ">":
                relation = Relation(_name(a, "not_above", b), RelationKind.IN_ORDER, (a, b))
            else:
                sql = f"live.{identifier(a)} = live.{identifier(b)}"
                relation = Relation(_name(a, "equals", b), RelationKind.EVERY_ROW, (a, b), sql=sql)
            yield _Candidate(relation, unrelated)


def _sums(past: _Rows, found: Search) -> Iterator[_Candidate]:
    """Numbers that are the sum of two others. Triples are many: they are tried on few rows, as arrays."""
    numbers = [one.name for one in _numbers(past, found)]
    if len(numbers) < 3:
        return
    values = np.array([past.first_look[0][one] for one in numbers])[:, : LEAST_SUMS * 8]
    pairs = list(combinations(range(len(numbers)), 2))
    found.candidates += len(pairs) * (len(numbers) - 2)
    triples = []
    for first, second in pairs:
        total = values[first] + values[second]
        wrong = np.abs(values - total) > 1e-6 + 1e-9 * np.abs(total)
        there = ~np.isnan(values - total)
        fits = ~(wrong & there).any(axis=1) & (there.sum(axis=1) >= LEAST_SUMS)
        triples += [(place, first, second) for place in np.flatnonzero(fits) if place not in (first, second)]
    shuffled = _apart(past)
    for total_place, first, second in triples:
        total_name, a, b = numbers[total_place], numbers[first], numbers[second]
        # One part alone must not be the total: a discount that is always 0 makes no sum.
        terms = [
            f"count(*) filter (where abs(live.{identifier(total_name)} - other.{identifier(a)} - live.{identifier(b)}) > 1e-6) "
            f"/ nullif(count(live.{identifier(total_name)}), 0)",
            f"count(*) filter (where abs(live.{identifier(total_name)} - live.{identifier(a)} - other.{identifier(b)}) > 1e-6) "
            f"/ nullif(count(live.{identifier(total_name)}), 0)",
        ]
        unrelated = min(past.one(terms, shuffled))
        name = _name(total_name, "is_sum_of", a, b)
        yield _Candidate(Relation(name, RelationKind.SUM_OF, (total_name, a, b)), unrelated)


def _presence(past: _Rows, found: Search) -> Iterator[_Candidate]:
    """Columns that are empty only together, only where another is, or only with some labels."""
    optional = [one.name for one in past.columns if one.name not in past.contract.key and not one.required]
    terms = [
        term
        for one in optional
        for term in (
            f"count(*) filter (where {identifier(one)} is null)",
            f"bit_xor(its_hash) filter (where {identifier(one)} is null)",
        )
    ]
    told = past.one(terms, _SAMPLE)
    patterns: dict[tuple[float, float], list[str]] = {}
    for number, one in enumerate(optional):
        empty, pattern = told[2 * number], told[2 * number + 1]
        if 0 < empty < past.sampled:
            patterns.setdefault((empty, pattern), []).append(one)
    groups = sorted(patterns.items())
    found.candidates += len(optional) * max(len(optional) - 1, 0)
    if len(groups) > MAX_PATTERNS:
        found.notes.append(
            f"of {counted(len(groups), 'pattern')} of empty values the {MAX_PATTERNS} of the fewest rows were compared"
        )
        groups = groups[:MAX_PATTERNS]
    for (empty, _), names in groups:
        if len(names) > 1:
            sql = " and ".join(
                f"(live.{identifier(names[0])} is null) = (live.{identifier(one)} is null)" for one in names[1:]
            )
            relation = Relation(_name(*names[:2], "empty_together"), RelationKind.EVERY_ROW, tuple(names), sql=sql)
            yield _Candidate(relation, 1 - empty / past.sampled)
    first = [(names[0], empty) for (empty, _), names in groups]
    implied = [(a, b, 1 - more / past.sampled) for (a, fewer), (b, more) in permutations(first, 2) if fewer <= more]
    terms = [f"count(*) filter (where {identifier(a)} is null and {identifier(b)} is not null)" for a, b, _ in implied]
    for (a, b, unrelated), broken in zip(implied, past.one(terms, _SAMPLE), strict=True):
        if not broken:
            relation = Relation(
                _name(b, "empty_with", a), RelationKind.EMPTY_WHERE, (b,), (LabelCondition(a, (None,)),)
            )
            yield _Candidate(relation, unrelated)
    yield from _presence_by_label(past, found, first)


def _labels(past: _Rows) -> list[str]:
    """Columns whose values may be shown: those that the contract names, and what is true or false."""
    named = [one.name for one in past.columns if (one.valid_values or one.type == "BOOLEAN") and not one.pii]
    distinct = past.one([f"approx_count_distinct({identifier(one)})" for one in named], _SAMPLE)
    return [name for name, values in zip(named, distinct, strict=True) if 1 < values <= MAX_LABELS]


def _presence_by_label(past: _Rows, found: Search, columns: Sequence[tuple[str, float]]) -> Iterator[_Candidate]:
    for label in _labels(past):
        wanted = [(name, empty) for name, empty in columns if name != label]
        found.candidates += 2 * len(wanted)
        if not wanted:
            continue
        counts = ", ".join(f"count({identifier(name)})" for name, _ in wanted)
        rows = past.connection.execute(
            f"select {identifier(label)}::varchar, count(*), {counts} from {_SAMPLE} "
            f"where {identifier(label)} is not null group by 1 order by 1"
        ).fetchall()
        for place, (name, empty) in enumerate(wanted):
            never = tuple(row[0] for row in rows if row[2 + place] == 0)
            always = tuple(row[0] for row in rows if row[2 + place] == row[1])
            share = empty / past.sampled
            if never:
                where = (LabelCondition(label, never),)
                relation = Relation(_name(name, "empty_by", label), RelationKind.EMPTY_WHERE, (name,), where)
                yield _Candidate(relation, 1 - share)
            if always:
                where = (LabelCondition(label, always),)
                relation = Relation(_name(name, "filled_by", label), RelationKind.PRESENT_WHERE, (name,), where)
                yield _Candidate(relation, share)


def _determined(past: _Rows, found: Search) -> Iterator[RuleProposal]:
    """Columns, or pairs of few labels, that determine others."""
    discrete = [
        one.name
        for one in past.columns
        if not _is_moment(one)
        and one.type not in ("DOUBLE", "FLOAT")
        and one.role != "measure"
        and not one.type.startswith("DECIMAL")
    ]
    distinct = past.one([f"count(distinct {identifier(one)})" for one in discrete], _SAMPLE)
    repeated = sorted(
        (values, name) for values, name in zip(distinct, discrete, strict=True) if 1 < values <= 0.8 * past.sampled
    )
    if len(repeated) > MAX_DETERMINANTS:
        found.notes.append(
            f"of {counted(len(repeated), 'column')} that may determine others the {MAX_DETERMINANTS} with the fewest values were tried"
        )
    single = [(name,) for _, name in repeated[:MAX_DETERMINANTS]]
    pairs = list(combinations([name for _, name in repeated[:8]], 2))
    others = [one.name for one in past.columns if one.name not in past.contract.key or len(past.contract.key) > 1]
    varied = {one: _variety(past, one) for one in others}
    known: dict[str, set[str]] = {}
    for key in (*single, *pairs):
        told_by_less = set().union(*(known.get(one, set()) for one in key)) if len(key) > 1 else set()
        wanted = [
            one for one in others if one not in key and varied[one] >= LEAST_UNRELATED and one not in told_by_less
        ]
        found.candidates += len(wanted)
        wanted = _agreeing_at_first(past, key, wanted)
        for table in (_SAMPLE, _PAST):
            wanted = _agreeing(past, key, wanted, table)
        if len(key) == 1:
            known[key[0]] = set(wanted)
        for one in wanted:
            yield RuleProposal(
                Relation(_name(*key, "determines", one), RelationKind.DETERMINES, (*key, one)),
                _repetition(past, key, one, varied[one]),
            )


def _variety(past: _Rows, name: str) -> float:
    """The chance that two rows have different values (Gini and Simpson's index)."""
    groups = f"(select count(*) as n from {_SAMPLE} where {identifier(name)} is not null group by {identifier(name)})"
    return past.one(["1 - sum(n * n) / pow(sum(n), 2)"], groups)[0]


def _agreeing_at_first(past: _Rows, key: tuple[str, ...], wanted: list[str]) -> list[str]:
    """Columns of which no two rows of a group have different values, among the first rows."""
    codes = past.first_look[1]
    there = np.all([codes[one] != 0 for one in key], axis=0)
    keys = np.array([codes[one][there] for one in key])
    order = np.lexsort(keys)
    same = np.all(keys[:, order[1:]] == keys[:, order[:-1]], axis=0)
    found = []
    for one in wanted:
        values = codes[one][there][order]
        differs = (values[1:] != values[:-1]) & (values[1:] != 0) & (values[:-1] != 0)
        if not (same & differs).any():
            found.append(one)
    return found


def _agreeing(past: _Rows, key: tuple[str, ...], wanted: list[str], table: str) -> list[str]:
    if not wanted:
        return []
    grouped = ", ".join(map(identifier, key))
    several = ", ".join(f"min({identifier(one)}) <> max({identifier(one)}) as c{n}" for n, one in enumerate(wanted))
    told = past.connection.execute(
        f"select {', '.join(f'coalesce(bool_or(c{n}), false)' for n in range(len(wanted)))} from "
        f"(select {several} from {table} where {_there(key)} group by {grouped})"
    ).fetchone()
    return [one for one, differs in zip(wanted, told or (), strict=True) if not differs]


def _there(names: Sequence[str]) -> str:
    return " and ".join(f"{identifier(one)} is not null" for one in names)


def _repetition(past: _Rows, key: tuple[str, ...], dependent: str, unrelated: float) -> Evidence:
    """Rows beyond the first of each group: these could have been of another value."""
    grouped = ", ".join(map(identifier, key))
    rows, groups, days = past.one(
        ["sum(n - 1)", "count(*) filter (where n > 1)", f"(select count(distinct landing_date) from {_PAST})"],
        f"(select count(*) as n from {_PAST} where {_there((*key, dependent))} group by {grouped})",
    )
    return Evidence(int(rows), int(days), unrelated, 0, int(groups) if len(key) > 1 else None)


def _at_most_one(past: _Rows, found: Search) -> Iterator[RuleProposal]:
    """Things that have a label once, of those that come several times; and what is as unique as a key."""
    things = [
        one.name
        for one in past.columns
        if one.type in ("VARCHAR", "BIGINT", "INTEGER", "UUID")
        and one.role not in ("measure", "segment")
        and not one.valid_values
        and (one.name not in past.contract.key or len(past.contract.key) > 1)
    ]
    if len(things) > MAX_THINGS:
        found.notes.append(
            f"of {counted(len(things), 'column')} at most one row was looked for of the first {MAX_THINGS}"
        )
        things = things[:MAX_THINGS]
    labels = _labels(past)
    for thing in things:
        name = identifier(thing)
        rows, values, days = past.one(
            [f"count({name})", f"count(distinct {name})", "count(distinct landing_date)"], _PAST
        )
        found.candidates += 1
        if rows and rows == values:
            # As unique as the key: whatever came twice under new keys would break it.
            yield RuleProposal(
                Relation(f"{thing}_is_unique"[:63], RelationKind.AT_MOST_ONE, (thing,)),
                Evidence(int(rows), int(days), 1.0, 0),
            )
            continue
        if not values or rows / values < 1.02:
            continue
        for label in labels:
            if label == thing:
                continue
            yield from _once_a_label(past, found, thing, label)


def _once_a_label(past: _Rows, found: Search, thing: str, label: str) -> Iterator[RuleProposal]:
    """Rows of things that have several are those that could break it; by chance a second one has the label as often as any row."""
    name, said = identifier(thing), identifier(label)
    told = past.connection.execute(
        f"""
        with rows as (select {name} as thing, {said}::varchar as label, landing_date from {_PAST} where {name} is not null and {said} is not null),
        several as (select thing from rows group by thing having count(*) > 1),
        apart as (select * from rows semi join several using (thing)),
        pairs as (select thing, label, count(*) as n from apart group by all)
        select label, sum(n) as rows, max(n) as most, (select count(distinct landing_date) from apart as a where a.label = pairs.label),
            sum(n) / (select count(*) from apart)
        from pairs group by label order by label
        """
    ).fetchall()
    found.candidates += len(told)
    once = [one for one in told if one[2] == 1]
    if len(once) == len(told) > 1:
        days = max(one[3] for one in told)
        relation = Relation(_name("one", label, "per", thing), RelationKind.AT_MOST_ONE, (thing, label))
        shares = [float(one[4]) for one in told]
        unrelated = sum(one * one for one in shares)
        yield RuleProposal(relation, Evidence(int(sum(one[1] for one in told)), int(days), unrelated, 0))
        return
    for value, rows, _, days, share in once:
        where = (LabelCondition(label, (value,)),)
        relation = Relation(_name("one", value, "per", thing), RelationKind.AT_MOST_ONE, (thing,), where)
        yield RuleProposal(relation, Evidence(int(rows), int(days), float(share), 0))


def _same_as(past: _Rows, found: Search) -> Iterator[RuleProposal]:
    """Columns that are those of the row of another source."""
    for other in companions(past.contract):
        types = {one.name: one.type for one in CONTRACTS[other.source].columns}
        own = {one.name: one.type for one in past.columns}
        shared = [
            one
            for one in other.shared
            if one in own
            and other.key in own
            and one in types
            and (own[one] == types[one] or (is_number(own[one]) and is_number(types[one])))
        ]
        found.candidates += len(shared)
        if not shared:
            continue
        joined = f"{_PAST} as live join {silver(other.source)} as row_there on live.{identifier(other.key)} = row_there.{identifier(other.key)}"
        terms = [
            term
            for one in shared
            for term in (
                f"count(live.{identifier(one)} = row_there.{identifier(one)})",
                f"count(distinct live.landing_date) filter (where live.{identifier(one)} = row_there.{identifier(one)})",
                f"count(*) filter (where live.{identifier(one)} <> row_there.{identifier(one)})",
            )
        ]
        told = past.one(terms, joined)
        shuffled = past.one(
            [f"avg((live.{identifier(one)} <> other.{identifier(one)})::int)" for one in shared], _apart(past)
        )
        for number, one in enumerate(shared):
            rows, days, broken = told[3 * number : 3 * number + 3]
            if not broken and rows:
                relation = Relation(
                    _name(one, "of", other.source),
                    RelationKind.SAME_AS,
                    (one, other.key),
                    other_source=other.source,
                    other_column=one,
                )
                yield RuleProposal(relation, Evidence(int(rows), int(days), float(shuffled[number]), 0))


def _name(*parts: str) -> str:
    """A name of a rule: what it is about, in small letters."""
    words = "_".join(
        "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in one) for one in parts
    ).lower()
    return (words if words[:1].isalpha() else f"rule_{words}")[:63].rstrip("_")
