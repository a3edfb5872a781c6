"""The answer to the first question of every responder: what changed since the last good run?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.formats import printable
from reliability_platform.incidents.changes.commits import Commit, last_commits
from reliability_platform.incidents.changes.concern import Concern, Nearness, UpstreamLineage
from reliability_platform.incidents.changes.pair import days_of, pair_of
from reliability_platform.incidents.model import Incident
from reliability_platform.settings import CONTRACTS_FOLDER, SODA_CHECKS, Settings, own_dbt_project
from reliability_platform.warehouse.fingerprints.files import content_of
from reliability_platform.warehouse.fingerprints.model import BuildFingerprint, BuildInput, InputKind, Part
from reliability_platform.warehouse.fingerprints.store import BuildFingerprints

COMMITS = 5
"""Files of which git is asked for the last commit: 10 ms each."""
SHOWN_AS = {Part.DBT_PROJECT: "dbt_project/", Part.CONTRACTS: "contracts/", Part.SODA_CHECKS: "soda_checks/"}
"""What stands before a path, so that it is one of the project; files of an own dbt project are named as they are there."""
MAX_NAME = 300
_KINDS, _CONCERNS = list(InputKind), list(Concern)


@dataclass(frozen=True)
class ComparedBuild:
    """One of the two builds."""

    number: int
    """In the journal of builds."""
    first_day: date
    """The first landing day that it built."""
    last_day: date
    """The last one."""
    began_at: datetime
    """When it began."""
    started_by: str | None
    """Who began it; None where no fingerprint of it was kept."""
    started_from: str | None
    """From where: command line, api, dashboard, daemon."""
    run: str | None
    """The run that it belonged to."""


@dataclass(frozen=True)
class ChangedInput:
    """One thing that the bad build was made with and the good one was not, or otherwise."""

    kind: str
    """`model`, `contract`, `macro`, `setting`, `version`, …"""
    name: str
    """The path of a file in the project, else the name of what it is."""
    how: str
    """`changed`, `added` or `removed`."""
    concern: Concern
    """Whether what failed is made with it (`lineage`), as every table is (`everything`), or not (`elsewhere`)."""
    before: str
    """The value of a plain setting or a version in the good build; empty for all else."""
    after: str
    """The same in the bad build."""
    is_as_built: bool | None = None
    """Whether the file is now as the bad build had it; None for what is no file."""
    commit: Commit | None = None
    """The last commit that touched the file; None where git knows nothing of it."""


@dataclass(frozen=True)
class WhatChanged:
    """The difference of two builds, the most suspicious first."""

    bad: ComparedBuild | None
    """The first build after which a check failed; None where none lies between its last pass and its failure."""
    good: ComparedBuild | None
    """The last one after which it had not failed; None where there was none."""
    same_days: bool
    """Whether the good build was one of the days that fail."""
    is_known: bool
    """Whether both builds left a fingerprint; else nothing can be said of what changed."""
    changes: Sequence[ChangedInput] = ()


def what_changed(settings: Settings, engine: Engine, manifest: Path, incident: Incident) -> WhatChanged:
    """Compare the last good build of an incident's days with the first bad one."""
    pair, store = pair_of(engine, incident), BuildFingerprints(engine)
    numbers = [one for one in (pair.bad, pair.good) if one is not None]
    entries, origins = days_of(engine, numbers), {one: store.origin(one) for one in numbers}

    def compared(number: int | None) -> ComparedBuild | None:
        if number is None or number not in entries:
            return None
        entry, origin = entries[number], origins[number]
        who = (None, None, None) if origin is None else (origin.started_by, origin.started_from, origin.run)
        return ComparedBuild(number, entry.first_day, entry.last_day, entry.began_at, *who)

    found = WhatChanged(compared(pair.bad), compared(pair.good), pair.same_days, is_known=False)
    if found.bad is None or found.good is None:
        return found
    bad, good = origins[found.bad.number], origins[found.good.number]
    if bad is None or good is None:
        return found
    if bad.fingerprint == good.fingerprint:
        return replace(found, is_known=True)
    lineage = UpstreamLineage.of(manifest, incident)
    changes = ranked(store.read(good.fingerprint), store.read(bad.fingerprint), lineage)
    return replace(found, is_known=True, changes=_with_commits(settings, changes))


@dataclass(frozen=True)
class InputDifference:
    """One input before and after, and how near it is to what failed."""

    before: BuildInput | None
    after: BuildInput | None
    nearness: Nearness

    @property
    def input(self) -> BuildInput:
        """What it is, whichever build had it."""
        one = self.after or self.before
        assert one is not None
        return one

    @property
    def name(self) -> str:
        """The path of a file in the project, else the name of what it is; fit to be shown."""
        return printable(f"{SHOWN_AS.get(Part(self.input.part), '')}{self.input.name}", MAX_NAME)


def ranked(good: BuildFingerprint, bad: BuildFingerprint, lineage: UpstreamLineage) -> list[InputDifference]:
    """What differs: in the lineage of what failed, then what concerns everything, then the rest; each by kind, then from
    what failed upwards."""
    before, after = ({one.key: one for one in side.inputs} for side in (good, bad))
    found = []
    for key in before.keys() | after.keys():
        was, now = before.get(key), after.get(key)
        if was is None or now is None or was.digest != now.digest:
            one = now or was
            assert one is not None
            found.append(InputDifference(was, now, lineage.nearness(one.part, one.name, one.kind)))
    return sorted(found, key=_suspicion)


def _suspicion(one: InputDifference) -> tuple[int, bool, int, int, str, str]:
    near, what = one.nearness, one.input
    place, kind = _CONCERNS.index(near.concern), _KINDS.index(InputKind(what.kind))
    return place, near.off_the_way, kind, near.steps, what.part, what.name


def _file(settings: Settings, one: BuildInput) -> Path | None:
    """Where a file of the project is now; None for what is none."""
    folders = {
        Part.DBT_PROJECT: settings.dbt_project,
        Part.OWN_PROJECT: own_dbt_project(),
        Part.CONTRACTS: CONTRACTS_FOLDER,
        Part.SODA_CHECKS: SODA_CHECKS,
    }
    folder = folders.get(Part(one.part))
    return None if folder is None or one.kind == InputKind.DBT_PACKAGE else folder / one.name


def _is_as_built(path: Path, one: BuildInput | None) -> bool:
    """A file that was removed is as it was built while there is none."""
    return content_of(path).digest == (one.digest if one is not None else "")


def _with_commits(settings: Settings, differences: Sequence[InputDifference]) -> list[ChangedInput]:
    files = [_file(settings, one.input) for one in differences]
    commits = last_commits([path for path in files[:COMMITS] if path is not None])
    return [
        ChangedInput(
            kind=one.input.kind,
            name=one.name,
            how="added" if one.before is None else "removed" if one.after is None else "changed",
            concern=one.nearness.concern,
            before=one.before.value if one.before is not None else "",
            after=one.after.value if one.after is not None else "",
            is_as_built=None if path is None else _is_as_built(path, one.after),
            commit=commits.get(path) if path is not None else None,
        )
        for one, path in zip(differences, files, strict=True)
    ]
