"""Writes chosen rules into the file of a contract, each with its evidence as a comment; no other line of it changes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.contracts.relations import LabelCondition, Relation, RelationKind
from reliability_platform.contracts.yaml_text import flow
from reliability_platform.errors import UsageError
from reliability_platform.strict_yaml import StrictYaml
from reliability_platform.suggestions.evidence import RuleProposal


def file_of(folder: Path, contract: Contract) -> Path:
    """The file that declares a source, of several versions the newest. Raises `UsageError`."""
    for path in sorted(one for one in folder.glob("*.y*ml") if one.name[0] != "."):
        if any((one.source, one.version) == (contract.source, contract.version) for one in read_contracts(path)):
            return path
    raise UsageError(f"No file in {folder} declares {contract.source} {contract.version}.")


def take(path: Path, source: str, chosen: Sequence[RuleProposal]) -> None:
    """Write rules into the contract of a source. Raises `UsageError` if they would not be read as they are meant; nothing is
    written then.
    """
    file = StrictYaml.of_file(path, error=ContractError)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    [number] = [place for place, one in enumerate(file.content["schema"]) if one.get("name") == source]
    table = file.content["schema"][number]
    has_rules = "quality" in table
    key = "quality" if has_rules else "properties"
    place = file.line_of(("schema", number, key)) - 1
    said = lines[place]
    indent = said[: len(said) - len(said.lstrip())]
    is_block = said.strip().partition("#")[0].strip() == f"{key}:"
    if not is_block or (has_rules and not table["quality"]):
        added = "\n".join(_lines(chosen, "      "))
        raise UsageError(
            f"{path}, line {place + 1}: nothing can be added to {key} as it is written there. Add under quality of {source}:\n{added}"
        )
    new = _lines(chosen, _indent_of_items(lines[place + 1 :], indent) if has_rules else f"{indent}  ")
    changed = [*lines[: place + 1], *new, *lines[place + 1 :]] if has_rules else [*lines[:place], f"{indent}quality:", *new, *lines[place:]]  # fmt: skip
    before = path.read_bytes()
    write_atomically(path, ("\n".join(changed) + "\n").encode())
    try:
        there = {one.name for found in read_contracts(path) if found.source == source for one in found.relations}
        if not {one.relation.name for one in chosen} <= there:
            raise UsageError(f"{path}: the rules would not be read as they are meant; nothing was written.")
    except UsageError:
        write_atomically(path, before)
        raise


def _indent_of_items(after: Iterable[str], indent: str) -> str:
    """How far the items of a list below a key are indented."""
    first = next((one for one in after if one.strip() and not one.lstrip().startswith("#")), f"{indent}  -")
    return first[: len(first) - len(first.lstrip())]


def _lines(chosen: Iterable[RuleProposal], indent: str) -> list[str]:
    return [
        line
        for one in chosen
        for line in (
            f"{indent}- name: {one.relation.name}",
            f"{indent}  # {one.evidence.text}",
            f"{indent}  customProperties: [{flow({'property': one.relation.kind.value, 'value': value_of(one.relation)})}]",
        )
    ]


def value_of(relation: Relation) -> Any:
    """What a contract says of a rule, under the custom property of its kind."""
    columns, where = list(relation.columns), dict(map(_said, relation.where))
    match relation.kind:
        case RelationKind.EVERY_ROW:
            return relation.text
        case RelationKind.SUM_OF:
            tolerance = {"tolerance": relation.tolerance} if relation.tolerance else {}
            return {"total": columns[0], "parts": columns[1:]} | tolerance
        case RelationKind.EMPTY_WHERE | RelationKind.PRESENT_WHERE:
            return {"column": columns[0], "where": where}
        case RelationKind.DETERMINES:
            return {"columns": columns[:-1], "column": columns[-1]}
        case RelationKind.AT_MOST_ONE:
            return {"per": columns} | ({"where": where} if where else {})
        case RelationKind.SAME_AS:
            other = f"{relation.other_source}.{relation.other_column}"
            return {"column": columns[0], "by": columns[1], "other": other}
        case _:
            return columns


def _said(condition: LabelCondition) -> tuple[str, Any]:
    values = list(condition.values)
    return condition.column, values[0] if len(values) == 1 else values
