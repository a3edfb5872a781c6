"""The mutants of a project: every applicable fault × input × column × size, or a seeded sample that is fair to all of them."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reliability_platform.mutation.columns import InputTable
from reliability_platform.mutation.faults import FAULTS, RANK, ROW, Broken, DataFault, Size
from reliability_platform.mutation.project import ProjectInput


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


def all_mutants(tables: Sequence[tuple[ProjectInput, InputTable]], seed: int) -> list[Mutant]:
    """Every one that there can be."""
    return [one for given, table in tables for fault in FAULTS for one in _of(given, table, fault, seed)]


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


def sample(mutants: Iterable[Mutant], most: int, seed: int) -> list[Mutant]:
    """At most so many, in their order: in turn one of each input and family, so that no wide table takes all places."""
    mutants = list(mutants)
    if len(mutants) <= most:
        return mutants
    groups: Mapping[tuple[str, str], list[Mutant]] = defaultdict(list)
    for one in sorted(mutants, key=lambda one: seeded(f"{seed} {one.key}")):
        groups[one.input.key, one.family].append(one)
    in_turn = sorted(
        (
            (at, seeded(f"{seed} {group}"), one.key)
            for group, members in groups.items()
            for at, one in enumerate(members)
        )
    )
    chosen = {key for _, _, key in in_turn[:most]}
    return [one for one in mutants if one.key in chosen]
