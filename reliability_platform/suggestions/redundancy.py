"""Leaves out proposals that follow from others, and puts the strongest first."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.relations import Relation, RelationKind
from reliability_platform.suggestions.evidence import RuleProposal

_TRANSITIVE = (RelationKind.IN_ORDER, RelationKind.DETERMINES, RelationKind.EMPTY_WHERE)


def few_and_strong(proposals: Sequence[RuleProposal], contract: Contract) -> list[RuleProposal]:
    """The proposals that say something of their own, strongest first; none that the contract declares already."""
    ordered = sorted(proposals, key=lambda one: (-one.strength, one.relation.name))
    declared = [_edge(one) or (one.columns, one.where) for one in contract.relations]
    stands_for = _representatives(ordered)
    kept: list[RuleProposal] = []
    for one in ordered:
        relation = one.relation
        if (_edge(relation) or (relation.columns, relation.where)) in declared:
            continue
        if not _is_equality(relation) and any(stands_for.get(column, column) != column for column in relation.reads):
            continue  # said of the column that it equals
        kept.append(one)
    for kind in _TRANSITIVE:
        kept = _reduced(kept, kind, contract)
    kept = [one for one in kept if not _told_by_presence(one.relation, kept)]
    kept = [one for one in kept if not _order_within_a_sum(one.relation, kept)]
    return _named(kept, contract)


def _is_equality(relation: Relation) -> bool:
    return relation.kind is RelationKind.EVERY_ROW and " is null" not in relation.sql


def _representatives(proposals: Iterable[RuleProposal]) -> dict[str, str]:
    """For each column that always equals another one, which of them speaks for both."""
    found: dict[str, str] = {}
    for one in sorted(proposals, key=lambda one: one.relation.columns):
        if _is_equality(one.relation):
            first, second = one.relation.columns
            found.setdefault(second, found.get(first, first))
    return found


def _edge(relation: Relation) -> tuple[str, str] | None:
    """A rule as a step from one column to another, where chains of such rules follow from each other."""
    if relation.kind is RelationKind.IN_ORDER and len(relation.columns) == 2:
        return relation.columns[0], relation.columns[1]
    if relation.kind is RelationKind.DETERMINES and len(relation.columns) == 2:
        return relation.columns[0], relation.columns[1]
    if relation.kind is RelationKind.EMPTY_WHERE and [one.values for one in relation.where] == [(None,)]:
        return relation.where[0].column, relation.columns[0]
    return None


def _reduced(proposals: list[RuleProposal], kind: RelationKind, contract: Contract) -> list[RuleProposal]:
    """Without the steps that a chain of others, declared ones too, makes as well; the weakest go first."""
    declared = {edge for one in contract.relations if one.kind is kind and (edge := _edge(one)) is not None}
    edges = {one: edge for one in proposals if one.relation.kind is kind and (edge := _edge(one.relation)) is not None}
    there = set(edges.values())
    for one in sorted(edges, key=lambda one: one.strength):
        edge = edges[one]
        if _leads((there | declared) - {edge}, *edge):
            there.discard(edge)
    return [one for one in proposals if one not in edges or edges[one] in there]


def _leads(edges: set[tuple[str, str]], start: str, end: str) -> bool:
    after: dict[str, set[str]] = defaultdict(set)
    for first, second in edges:
        after[first].add(second)
    seen, waiting = {start}, [start]
    while waiting:
        for one in after[waiting.pop()] - seen:
            if one == end:
                return True
            seen.add(one)
            waiting.append(one)
    return False


def _told_by_presence(relation: Relation, proposals: Iterable[RuleProposal]) -> bool:
    """What is filled with one label alone determines it."""
    if relation.kind is not RelationKind.DETERMINES or len(relation.columns) > 2:
        return False
    column, label = relation.columns
    return any(
        one.relation.kind is RelationKind.PRESENT_WHERE
        and one.relation.columns == (column,)
        and [(where.column, len(where.values)) for where in one.relation.where] == [(label, 1)]
        for one in proposals
    )


def _order_within_a_sum(relation: Relation, proposals: Iterable[RuleProposal]) -> bool:
    """A total is above its parts wherever these are positive, which ranges say."""
    return relation.kind is RelationKind.IN_ORDER and any(
        one.relation.kind is RelationKind.SUM_OF and {*relation.columns} <= {*one.relation.columns} for one in proposals
    )


def _named(proposals: Sequence[RuleProposal], contract: Contract) -> list[RuleProposal]:
    """With names that no other rule has."""
    taken = {one.name for one in contract.relations}
    found = []
    for one in proposals:
        name, number = one.relation.name, 2
        while name in taken:
            name, number = f"{one.relation.name[:59]}_{number}", number + 1
        taken.add(name)
        found.append(replace(one, relation=replace(one.relation, name=name)))
    return found
