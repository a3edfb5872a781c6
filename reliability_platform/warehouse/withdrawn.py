"""Versions that a person has withdrawn: nothing can bring one of their tables back, and nobody may read what is left.

In the place of the version lies word of who withdrew it, when, why and what was damaged, with the record of the version
itself: a store that is put back from before takes the withdrawal in again.
"""

import json
import shutil
from dataclasses import asdict, dataclass

from reliability_platform.atomic import write_atomically
from reliability_platform.damage import Damage
from reliability_platform.settings import Settings
from reliability_platform.warehouse.ledger import Ledger
from reliability_platform.warehouse.published import record_of

WITHDRAWAL = "withdrawn.json"


@dataclass(frozen=True)
class Withdrawal:
    """One version that was withdrawn."""

    version: str
    withdrawn_at: str
    by: str
    why: str
    damaged: list[str]
    record: str
    """The text of the record of the version."""


def write_withdrawal(settings: Settings, withdrawal: Withdrawal) -> None:
    """Leave word in the place of the version."""
    content = json.dumps(asdict(withdrawal), indent=2) + "\n"
    write_atomically(settings.published / withdrawal.version / WITHDRAWAL, content.encode())


def take_away(settings: Settings, version: str) -> None:
    """Remove all that is left of a withdrawn version, but for the word of its withdrawal."""
    for path in (settings.published / version).iterdir():
        if path.name == WITHDRAWAL:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def remains(settings: Settings, version: str) -> list[Damage]:
    """What still lies there of a version that was withdrawn."""
    again = f"`reliability withdraw {version}` takes it away"
    return [
        Damage("published", f"published/{version}/{path.name}", "is of a version that was withdrawn", again)
        for path in sorted((settings.published / version).glob("*"))
        if path.name != WITHDRAWAL
    ]


def take_in_withdrawals(settings: Settings, ledger: Ledger) -> None:
    """Let a store that was put back, or begun anew, know which versions were withdrawn."""
    current, known = ledger.current(), ledger.records()
    for path in sorted(settings.published.glob(f"v[0-9]*/{WITHDRAWAL}")):
        try:
            one = Withdrawal(**json.loads(path.read_text()))
            record = record_of(one.record)
        except (OSError, ValueError, TypeError):
            continue
        is_its_own = path.parent.name == one.version == record.version and one.version != current
        if is_its_own and known.get(one.version, one.record) == one.record:
            if one.version not in known:
                ledger.write(one.version, one.record)
            ledger.withdraw(one.version)
