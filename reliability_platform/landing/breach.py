"""How a delivered file breaks its contract, as its record keeps it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from reliability_platform.counted import counted


@dataclass(frozen=True)
class Breach:
    """How a file breaks its contract: names of the contract, of casts and of types; delivered names only where they are
    plain words.
    """

    reason: str
    missing: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    """Delivered name → the contract's that it may stand for."""
    changed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Column → the type that is `expected`, and the one that was `found`."""
    casts: Mapping[str, str] = field(default_factory=dict)
    unconverted: Mapping[str, int] = field(default_factory=dict)
    """Column → how many of its values the approved cast could not convert."""
    unannounced: tuple[str, ...] = ()
    """Delivered columns of which a strict contract says nothing."""
    notice: str = ""
    """What the producer owed before such a change."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The contract's columns that it is about."""
        return tuple(dict.fromkeys([*self.missing, *self.changed, *self.repeated]))

    @property
    def detail(self) -> str:
        """As the record of the file keeps it."""
        return json.dumps({name: one for name, one in vars(self).items() if one and name != "reason"}, sort_keys=True)

    @property
    def words(self) -> str:
        """The same for people."""
        told = [f"{' and '.join(self.repeated)} more than once"] if self.repeated else []
        told += [f"without {', '.join(self.missing)}"] if self.missing else []
        told += [f"{' and '.join(self.unannounced)} unannounced"] if self.unannounced else []
        told += [f"{came} may be {name}" for came, name in self.rename.items()]
        told += [f"{name} is {kinds['found']}, not {kinds['expected']}" for name, kinds in self.changed.items()]
        told += [f"{counted(rows, 'value')} of {name} cannot be read so" for name, rows in self.unconverted.items()]
        return "; ".join(told)

    @classmethod
    def read(cls, reason: str, detail: object) -> "Breach":
        """As a record says it; without a word on columns where the record was edited and says none."""
        try:
            return _BREACH.validate_python({**json.loads(str(detail)), "reason": reason})
        except (ValueError, TypeError):
            return cls(reason)


_BREACH = TypeAdapter(Breach)


def refusal_words(reason: str | None, detail: str | None) -> str | None:
    """Why a file was refused, for people, from what its record keeps."""
    if reason is None or detail is None:
        return None
    try:
        said = json.loads(detail)
    except ValueError:
        return detail  # it is words
    match said:
        case {"declared": int(declared), "found": int(found)}:
            return f"its manifest declares {counted(declared, 'row')}, it has {found:,}"
    return Breach.read(reason, detail).words or None
