"""One look at a sample: an engine of its own with bounded memory, and the questions that a terminal can be asked."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from reliability_platform.clock import is_zone
from reliability_platform.contracts.inference.proposal import Proposal, propose
from reliability_platform.contracts.inference.references import DeclaredSource
from reliability_platform.contracts.inference.sample import take_sample
from reliability_platform.contracts.inference.told import Told
from reliability_platform.errors import UsageError
from reliability_platform.parquet import literal

MEMORY = "2GB"
"""More goes to the disk."""


def proposed(
    name: str,
    patterns: Sequence[str],
    tables: Mapping[str, Sequence[Path]],
    full: bool,
    key: Sequence[str] = (),
    event_time: str | None = None,
    ask: Callable[[str, str], str] | None = None,
    sources: Sequence[DeclaredSource] = (),
) -> Proposal:
    """What the deliveries propose for a source; `ask` is given a question and the proposal, and returns the answer."""
    with tempfile.TemporaryDirectory(prefix="sources-add-") as spill, duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{MEMORY}'; set timezone = 'UTC'")
        connection.execute(f"set temp_directory = {literal(spill)}")
        sample = take_sample(connection, patterns, full)
        proposal = propose(name, sample, tables, key, event_time, sources)
        if ask is None:
            return proposal
        if proposal.event_time.question:
            answer = ask(f"When did a row happen ({proposal.event_time.evidence})", proposal.event_time.value)
            proposal = propose(name, sample, tables, key, answer, sources)
        if proposal.key.question:
            answer = ask(f"Which columns identify a row ({proposal.key.evidence})", ", ".join(proposal.key.value))
            if (chosen := tuple(one.strip() for one in answer.split(","))) != proposal.key.value:
                proposal = propose(name, sample, tables, chosen, proposal.event_time.value, sources)
            proposal.key.question = False
        if proposal.zone is not None:
            question = f"In which zone are the moments of {proposal.event_time.value}"
            proposal.zone = _zone(ask(question, proposal.zone.value))
        if (zone := proposal.days.zone) is not None:
            question = f"By the calendar of which zone are files named ({zone.evidence})"
            proposal.days = replace(proposal.days, zone=_zone(ask(question, zone.value)))
        return proposal


def _zone(answer: str) -> Told:
    """A zone as somebody has named it. Raises `UsageError` for one that there is not."""
    if not is_zone(answer):
        raise UsageError(f"There is no zone {answer!r}: name one as Europe/Berlin.")
    return Told(answer, "said by whoever added the source")
