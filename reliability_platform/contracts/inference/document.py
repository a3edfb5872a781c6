"""A proposal as the text of a contract: beside each line its evidence; `# ?` marks what somebody must look at."""

import re
from dataclasses import replace
from typing import Any

from reliability_platform.contracts.inference.days import Days
from reliability_platform.contracts.inference.location import location_pattern
from reliability_platform.contracts.inference.measured import ColumnProposal
from reliability_platform.contracts.inference.proposal import Proposal
from reliability_platform.contracts.inference.told import Told
from reliability_platform.contracts.servers import KAFKA
from reliability_platform.contracts.yaml_text import flow, word
from reliability_platform.counted import counted
from reliability_platform.formats import plain

LOGICAL_TYPES = {
    "VARCHAR": "string",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "JSON": "object",
}
WHOLE_NUMBERS = re.compile("U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")


def contract_text(proposal: Proposal, accepted: bool, feeds: str | None = None) -> str:
    """The file. `accepted` says that what is uncertain was taken as proposed; `feeds` what it stands for in an own dbt
    project.
    """
    return "\n".join(_lines(proposal, "# ? taken as proposed:" if accepted else "# ?", feeds)) + "\n"


def _where(proposal: Proposal, noted: str) -> list[str]:
    """Where the source is reached, and how it delivers."""
    event_time = {"property": "eventTime", "value": proposal.event_time.value}
    if proposal.server is None:
        place = {"server": "deliveries", "type": "local", "path": location_pattern(proposal.sample.files)}
        return [
            "servers:  # where deliveries appear",
            f"  - {flow(place)}",
            "customProperties:",
            "  - {property: sourceKind, value: drop}  # it sends by itself",
            f"  - {flow(event_time)}{noted}",
            f"  - {flow({'property': 'fileFormat', 'value': _file_format(proposal)})}  # found in the files",
        ]
    one = proposal.server
    custom = {"engine": "sqlite" if one.engine == "sqlite" else None, "user": one.user, "credentials": one.credentials}
    if one.engine == KAFKA:
        reached: dict[str, Any] = {"host": one.address}
    else:
        reached = {"host": one.host or None, "port": one.port, "database": one.address, "schema": one.schema}
    said = {
        "server": one.name, "type": "custom" if one.engine == "sqlite" else one.engine, **reached,
        "customProperties": [{"property": name, "value": value} for name, value in custom.items() if value is not None] or None,
    }  # fmt: skip
    return [
        "servers:  # its topic is read there"
        if one.engine == KAFKA
        else "servers:  # it is asked there for each batch",
        f"  - {flow({name: value for name, value in said.items() if value is not None})}",
        "customProperties:",
        f"  - {flow(event_time)}{noted}",
    ]


def _lines(proposal: Proposal, mark: str, feeds: str | None) -> list[str]:
    name, sample, rhythm, days = proposal.name, proposal.sample, proposal.rhythm, proposal.days

    def note(told: Told) -> str:
        evidence = plain(told.evidence)
        return f"  {mark} {evidence}" if told.question else f"  # {evidence}" if evidence else ""

    frequency: dict[str, Any] = {"property": "frequency", "value": rhythm.value, "unit": rhythm.unit}
    if rhythm.schedule:
        frequency["schedule"] = rhythm.schedule
    is_topic = proposal.server is not None and proposal.server.engine == KAFKA
    asked = f"{counted(proposal.questions, 'line')} marked `# ?`"
    lines = [
        "# Open Data Contract Standard 3.1 (bitol-io); docs/reference/contracts.md says which fields the platform reads.",
        f"# Proposed by `reliability sources add {name}` from {plain(sample.read)}.",
        f"# {asked}: "
        + (
            "taken as proposed (--yes), seen by nobody."
            if mark.endswith(":")
            else "look at each, then remove the mark."
        ),
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {name}",
        "version: 1.0.0",
        "status: draft",
        "team: [{username: unknown, role: owner}]  " + f"{mark} whom to tell",
        "slaProperties:",
        *([] if is_topic else [f"  - {flow(frequency)}" + note(Told(None, rhythm.evidence, not rhythm.certain))]),
        f"  - {{property: latency, value: {max(1 + days.lag, days.span)}, unit: d}}"
        + f"  {mark} "
        + _why_so_late(days),
        *_where(proposal, note(proposal.event_time)),
        *(
            [f"  - {flow({'property': 'feeds', 'value': feeds})}  # what it stands for in the dbt project"]
            if feeds
            else []
        ),
        *(
            [f"  - {flow({'property': 'dayZone', 'value': days.zone.value})}" + note(days.zone)]
            if days.zone is not None
            else []
        ),
        *([f"  - {flow({'property': 'dayOffset', 'value': -days.lag})}  # named for a later day"] if days.lag else []),
        *(
            [f"  - {flow({'property': 'severalDays', 'value': True})}" + note(days.several)]
            if days.several is not None
            else []
        ),
        *(f"  {mark if one.question else '#'} {plain(one.evidence)}" for one in proposal.general),
        "schema:",
        f"  - name: {word(name)}",
        "    physicalType: table",
        *([f"    physicalName: {word(proposal.table)}"] if proposal.server is not None else []),
        f"    # key: {' + '.join(proposal.key.value)}".rstrip()
        + (f" {mark} " if proposal.key.question else " # ")
        + plain(proposal.key.evidence),
        "    properties:",
    ]
    for column in proposal.columns:
        lines += [f"      {line}" for line in _column(proposal, column, note)]
    return lines


def _why_so_late(days: Days) -> str:
    if days.span > 1:
        return f"a day after the end of a file's last day, and it holds {days.span:,}; files say nothing of it"
    return f"files are named D+{days.lag}" if days.lag else "a day after the day's end; files say nothing of it"


def _file_format(proposal: Proposal) -> dict[str, Any]:
    return replace(proposal.sample.format, nulls=tuple(proposal.sample.nulls)).declared


def _column(proposal: Proposal, column: ColumnProposal, note: Any) -> list[str]:
    typed, said = column.typed, column.said
    nested = typed.type == "JSON"
    logical = "integer" if WHOLE_NUMBERS.fullmatch(typed.type) else LOGICAL_TYPES.get(typed.type, "number")
    if typed.type in ("BLOB", "UUID", "BIT", "INTERVAL"):
        logical = "string"
    lines = [f"- name: {word(typed.name)}"]
    if typed.original != typed.name:
        lines.append(f"  physicalName: {word(typed.original)}")
    lines.append(f"  logicalType: {logical}" + note(said.get("type", Told(None))))
    lines.append(f"  physicalType: {'VARCHAR' if nested else typed.type}")
    if typed.name in proposal.key.value:
        lines += ["  primaryKey: true", f"  primaryKeyPosition: {proposal.key.value.index(typed.name) + 1}"]
    if "required" in said:
        lines.append("  required: true" + note(said["required"]))
    elif "missing" in said:
        lines.append(f"  required: false  # {plain(said['missing'].evidence)}")
    if "classification" in said:
        lines.append("  classification: personal" + note(said["classification"]))
    if "relationships" in said:
        link = said["relationships"]
        lines.append(f"  relationships: [{flow({'to': link.value})}]{note(link)}" if link.value else note(link))
    if (labels := said.get("labels")) is not None:
        rule = {"metric": "invalidValues", "arguments": {"validValues": labels.value}, "mustBe": 0}
        lines.append(f"  quality: [{flow(rule)}]{note(labels)}" if labels.value else note(labels))
    options: dict[str, Any] = {}
    told = Told(None)
    if (limits := said.get("range")) is not None and limits.value is not None:
        options, told = {"minimum": limits.value[0], "maximum": limits.value[1]}, limits
    if proposal.zone is not None and typed.name == proposal.event_time.value and typed.type == "TIMESTAMP":
        options, told = {"defaultTimezone": proposal.zone.value}, proposal.zone
    if options:
        lines.append(f"  logicalTypeOptions: {flow(options)}" + note(told))
    if "role" in said:
        lines.append(
            f"  customProperties: [{flow({'property': 'role', 'value': said['role'].value})}]" + note(said["role"])
        )
    return lines
