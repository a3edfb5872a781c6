"""The mutants of a project: every applicable fault × input × column × size, or a seeded sample that is fair to all of them."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reliability_platform.mutation.columns import InputTable
from reliability_platform.mutation.faults import FAULTS, RANK, ROW, SCHEMA, Broken, DataFault, Size
from reliability_platform.mutation.project import ProjectInput

FULL_BUILD, INCREMENT = "full build", "increment"
"""What a broken input goes into: everything built anew from the broken input, or the next run of what grows."""


@dataclass(frozen=True)
class Mutant:
    """One broken copy of one input."""

    key: str
    """The same in every run over the same project with the same seed."""
    input: ProjectInput
    fault: str
    family: str
    column: str
    size: str
    said: str
    """What is wrong with the data, for people."""
    sql: str
    """The query of the broken rows."""
    build: str = FULL_BUILD


def all_mutants(tables: Sequence[tuple[ProjectInput, InputTable]], seed: int) -> list[Mutant]:
    """Every one that there can be."""
    return [one for given, table in tables for one in mutants_of(given, table, seed)]


def mutants_of(
    given: ProjectInput, table: InputTable, seed: int, build: str = FULL_BUILD, kept: str = ""
) -> Iterator[Mutant]:
    """Every one of an input; `kept` is a query of rows that are there too and stay as they are, of an increment the earlier ones.

    A delivery with other columns breaks what loads it: an increment is broken in what is in the rows alone.
    """
    for fault in FAULTS:
        if build == FULL_BUILD:
            yield from _of(given, table, fault, seed)
        elif fault.family != SCHEMA:
            named = replace(given, name=f"the newest part of {given.name}" if kept else given.name)
            for one in _of(named, table, fault, seed):
                sql = f"{kept} union all by name ({one.sql})" if kept else one.sql
                said = one.said if kept else f"{one.said}, at the increment"
                key = f"{build} {one.key.replace(named.name, given.name, 1)}"
                yield replace(one, key=key, input=given, said=said, sql=sql, build=build)


def _of(given: ProjectInput, table: InputTable, fault: DataFault, seed: int) -> Iterator[Mutant]:
    if not table.rows:
        return
    for way in fault.ways(table):
        hit_before = set[int]()
        for size in fault.sizes:
            hit = size.of(table.rows)
            if hit in hit_before:  # 5 % of ten rows are one row, too
                continue
            hit_before.add(hit)
            yield _mutant(given, table, fault, way, size, hit, seed)


def _mutant(
    given: ProjectInput, table: InputTable, fault: DataFault, way: Broken, size: Size, hit: int, seed: int
) -> Mutant:
    parts = [given.name, way.column, fault.name, way.detail, size.name]
    key = " ".join(part for part in parts if part)
    number = seeded(f"{seed} {given.key} {way.column} {fault.name}")
    first = f"{way.first}, " if way.first else ""
    ranked = (
        f"with numbered as materialized (select *, row_number() over () as {ROW} from {table.relation}), "
        f"ranked as materialized (select *, row_number() over (order by {first}hash({ROW} + {number}), {ROW}) as {RANK} from numbered) "
    )
    return Mutant(
        key=key,
        input=given,
        fault=fault.name,
        family=fault.family,
        column=way.column,
        size=size.name,
        said=fault.said.format(rows=size.rows, column=way.column, detail=way.detail, input=given.name),
        sql=ranked + way.query.replace("{hit}", f"{RANK} <= {hit}"),
    )


def seeded(text: str) -> int:
    """A number of 31 bits that depends on all of a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def in_turn(mutants: Iterable[Mutant], seed: int) -> list[Mutant]:
    """One of each input, family and build in turn: wherever it is cut off, what was judged stands for all."""
    groups: dict[tuple[str, str, str], list[Mutant]] = defaultdict(list)
    for one in sorted(mutants, key=lambda one: seeded(f"{seed} {one.key}")):
        groups[one.input.key, one.family, one.build].append(one)
    placed = [(at, seeded(f"{seed} {group}"), one) for group, each in groups.items() for at, one in enumerate(each)]
    return [one for _, _, one in sorted(placed, key=lambda place: (*place[:2], place[2].key))]


def sample(mutants: Iterable[Mutant], most: int, seed: int) -> list[Mutant]:
    """At most so many, in their order, and fair: no wide table takes all places."""
    mutants = list(mutants)
    if len(mutants) <= most:
        return mutants
    chosen = {one.key for one in in_turn(mutants, seed)[:most]}
    return [one for one in mutants if one.key in chosen]
