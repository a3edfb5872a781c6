"""What long work there is, each as the commands of the command line that carry it out: one table. Nothing is spelled a second
time here; who may ask for it stands in `access/roles.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability_platform.service.access.roles import Act

Asked = Mapping[str, Any]
"""The body of a request, as JSON."""
Result = Mapping[str, Any]
"""What the command before has printed; empty for the first one."""


@dataclass(frozen=True)
class AskedCommand:
    """One command of the command line, as somebody's request needs it."""

    name: Sequence[str]
    """Its words, group first."""
    options: Sequence[str] = ()
    arguments: Sequence[str] = ()

    def words(self, home: Path) -> list[str]:
        """What follows `reliability`, on a home and for a program to read; after `--` nothing is an option."""
        arguments = ["--", *self.arguments] if self.arguments else []
        return [*self.name, f"--home={home}", "--json", *self.options, *arguments]


@dataclass(frozen=True)
class WorkKind:
    """One kind of long work."""

    act: Act
    """What somebody must be allowed to do."""
    commands: Sequence[Callable[[Asked, Result], AskedCommand | None]]
    """The commands, one after the other; None for one that is left out."""


def _options(asked: Asked, **names: str) -> list[str]:
    """Those that are given, each as one word: a value may begin with a dash."""
    return [f"--{option}={asked[name]}" for name, option in names.items() if asked.get(name) is not None]


def _flags(asked: Asked, **names: str) -> list[str]:
    return [f"--{option}" for name, option in names.items() if asked.get(name)]


def _days(command: str) -> Callable[[Asked, Result], AskedCommand]:
    def made(asked: Asked, _: Result) -> AskedCommand:
        days = _options(asked, first="from", last="to", why="why")
        return AskedCommand([command], [*days, *_flags(asked, dry_run="dry-run", approve="approve")])

    return made


def _inject(asked: Asked, _: Result) -> AskedCommand:
    where = _options(asked, source="source", date="date", magnitude="magnitude")
    return AskedCommand(["inject"], where, [asked["failure_type"]])


def _notice(_: Asked, injected: Result) -> AskedCommand | None:
    """Let the platform notice what was injected into landing; what was injected into the running platform it has noticed."""
    days = injected["landing_days"]
    return AskedCommand(["run"], [f"--from={days[0]}", f"--to={days[-1]}"]) if days else None


def _heal(asked: Asked, _: Result) -> AskedCommand:
    what = _options(asked, incident="incident", action="action")
    return AskedCommand(["heal"], [*what, *_flags(asked, dry_run="dry-run")])


def _quarantine(command: str) -> Callable[[Asked, Result], AskedCommand]:
    def made(asked: Asked, _: Result) -> AskedCommand:
        meant = _options(asked, source="source", date="date", first="from", last="to", batch="batch", reason="reason")
        meant += _options(asked, limit="limit", why="why") + _flags(asked, dry_run="dry-run")
        return AskedCommand(["quarantine", command], [*meant, *(["--yes"] if command == "discard" else [])])

    return made


def _roll_back(asked: Asked, _: Result) -> AskedCommand:
    return AskedCommand(["publish"], ["--rollback", "--yes", *_options(asked, why="why")])


def _withdraw_table(asked: Asked, _: Result) -> AskedCommand:
    return AskedCommand(["tables", "withdraw"], ["--yes", *_options(asked, why="why")], [asked["table"]])


KINDS: dict[str, WorkKind] = {
    "run-pipeline": WorkKind(Act.RUN, (_days("run"),)),
    "run-backfill": WorkKind(Act.RUN, (_days("backfill"),)),
    "simulate-failure": WorkKind(Act.SIMULATE, (_inject, _notice)),
    "heal": WorkKind(Act.HEAL, (_heal,)),
    "replay": WorkKind(Act.REPLAY, (_quarantine("replay"),)),
    "discard": WorkKind(Act.DISCARD, (_quarantine("discard"),)),
    "roll-back": WorkKind(Act.ROLL_BACK, (_roll_back,)),
    "withdraw-table": WorkKind(Act.WITHDRAW, (_withdraw_table,)),
}
