"""Another attempt of a slot that is good already: may it replace what is there?

One that remediation asked for may, and one that a person has accepted: both are facts on file. One that nobody asked for
is compared with the good one, row by row. If it brings each row of it, unchanged, with or without new ones, it may too;
if rows are gone or contradict, it is held until a person decides. Attempts are taken in their order, whatever the order
in which they came or are run.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.in_memory import in_memory
from reliability_platform.json_text import pointer
from reliability_platform.landing.seals import seal_again
from reliability_platform.landing.working_copy import write
from reliability_platform.parquet import literal
from reliability_platform.settings import Settings

UNASKED = "unasked_attempt"
"""The reason for which an attempt is held."""


ANY_CONTENT = "any"


class How(StrEnum):
    """Why an attempt may replace its slot."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class Permission:
    """That one attempt, with this very content, may replace its slot without being compared."""

    batch_id: str
    fingerprint: str
    """SHA-256 of the bytes of its file; `ANY_CONTENT` where its owner was asked for it and it has not come yet."""
    how: How
    by: str
    why: str


def _path(settings: Settings, source: str, day: date, batch_id: str) -> Path:
    return settings.decisions / source / f"{source}-{day:%Y%m%d}-replaces-{batch_id}.json"


def permit(settings: Settings, source: str, day: date, permission: Permission) -> None:
    """Let one attempt replace its slot from the next admission on. Permitting the same content again changes nothing."""
    if permits(settings, source, day, permission.batch_id, permission.fingerprint):
        return
    content = json.dumps(asdict(permission), indent=2, sort_keys=True) + "\n"
    path = _path(settings, source, day, permission.batch_id)
    write(settings, path, content.encode())
    seal_again(settings, path)


def permission_of(settings: Settings, source: str, day: date, batch_id: str) -> Permission | None:
    """The permission of one attempt. Raises `EnvironmentUnusableError` for a file that is none."""
    path = _path(settings, source, day, batch_id)
    if not path.exists():
        return None
    try:
        raw = json.loads(path.read_text())
        return Permission(**{**raw, "how": How(raw["how"])})
    except (ValueError, KeyError, TypeError):
        raise EnvironmentUnusableError(
            f"{path} is no permission for an attempt: delete it, then accept the attempt again."
        ) from None


def permits(settings: Settings, source: str, day: date, batch_id: str, fingerprint: str) -> bool:
    """Whether an attempt with this content may replace its slot whatever it holds."""
    try:
        found = permission_of(settings, source, day, batch_id)
    except EnvironmentUnusableError:
        return False  # a damaged permission is none: the attempt is compared, and waits at worst
    return found is not None and found.fingerprint in (fingerprint, ANY_CONTENT)


@dataclass(frozen=True)
class Candidate:
    """A file of a landing day that is good by itself."""

    batch_id: str
    slot: int
    attempt: int
    fingerprint: str


def settle_attempts(
    settings: Settings, source: str, day: date, folder: Path, candidates: Sequence[Candidate]
) -> dict[str, str]:
    """The batches that must wait for a person, each with what it would change; `folder` holds their rows."""
    held: dict[str, str] = {}
    slots: dict[int, dict[int, list[Candidate]]] = {}
    for one in candidates:
        slots.setdefault(one.slot, {}).setdefault(one.attempt, []).append(one)
    for attempts in slots.values():
        if len(attempts) < 2:
            continue
        _, *later = [attempts[number] for number in sorted(attempts)]
        good = attempts[min(attempts)]
        for attempt in later:
            # What a producer sends twice as one attempt counts as one delivery: it replaces the slot together.
            if all(permits(settings, source, day, one.batch_id, one.fingerprint) for one in attempt):
                good = attempt
                continue
            loss = _loss(source, folder, good, attempt)
            if loss is None:
                good = attempt
            else:
                held |= {one.batch_id: loss for one in attempt}
    return held


def _unread(contract: Contract) -> str:
    """Whether a row has a text that is not of its type, in SQL."""
    texts = ", ".join(literal(pointer(one.name)) for one in contract.columns if one.type != "VARCHAR")
    return (
        f"coalesce(len(list_filter(json_extract_string(_rescued, [{texts}]), lambda one: one is not null)) > 0, false)"
    )


def _loss(source: str, folder: Path, good: Sequence[Candidate], other: Sequence[Candidate]) -> str | None:
    """What would get lost if an attempt replaced the good one; None if nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    contract = CONTRACTS[source]
    key = contract.key_list
    columns = ", ".join(f'"{name}"' for name in contract.arrow_schema.names)
    files = {"good": good, "other": other}
    with in_memory() as engine:
        for name, batches in files.items():
            read = [pq.ParquetFile(folder / f"{one.batch_id}.parquet").read() for one in batches]
            engine.register("delivered", pa.concat_tables(read))
            # What stood there as a text that is not of its type was no good value: another one contradicts nothing.
            whole = (
                f"where not ({_unread(contract)})"
                if name == "good" and any(map(contract.may_come_as_text, contract.columns))
                else ""
            )
            engine.execute(f"create temp table {name} as select distinct {columns} from delivered {whole}")
        [(before, after, gone, contradicting)] = engine.execute(
            f"""
            with lost as (
                select * from good except all select * from other
            ), added as (
                select * from other except all select * from good
            )
            select
                (select count(*) from good),
                (select count(*) from other),
                (select count(*) from lost anti join other using ({key})),
                (select count(*) from lost semi join other using ({key}))
                + (select count(*) from added semi join good using ({key}) anti join lost using ({key}))
            """
        ).fetchall()
    if not gone and not contradicting:
        return None
    return json.dumps({"rows": after, "rows_of_the_good_one": before, "gone": gone, "contradicting": contradicting})
