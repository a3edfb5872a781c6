"""The page for whoever reads the data and works on none of it: what is wrong for whom, since when, until when.

No check, table, column or error of the platform stands there, and nobody's name or address.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.alerts.routing.due import next_update
from reliability_platform.atomic import write_atomically
from reliability_platform.formats import NOTHING, moment
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.documents import web
from reliability_platform.incidents.documents.blocks import Block, Grid, Heading, Paragraph
from reliability_platform.incidents.impact import exposures_of, is_contained
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.incidents.usual_recovery import UsualRecovery, usual_recovery
from reliability_platform.operations.tables import incident_heads
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import read_manifest

RECENTLY = timedelta(days=7)
WRONG, LATE, FINE = "numbers may be wrong", "may be late or incomplete", "as usual"


@dataclass(frozen=True)
class ReaderStatus:
    """One incident, as one reader of the data is told of it."""

    reader: str
    incident: Incident
    usual: UsualRecovery | None

    @property
    def effect(self) -> str:
        """What it means for who reads: only what was not kept back can be wrong."""
        spoils = CLASSES[self.incident.failure_class].spoils_numbers
        return WRONG if spoils and not is_contained(self.incident) else LATE

    @property
    def said(self) -> str:
        """The last update of a person, else what kind of failure it is."""
        last = next((one for one in reversed(self.incident.timeline) if "next" in one.data), None)
        return str(last.data["said"]) if last is not None else CLASSES[self.incident.failure_class].title


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def status_page(
    readers: Sequence[str], standing: Sequence[ReaderStatus], over: Sequence[ReaderStatus], now: datetime
) -> list[Block]:
    """The page. `over` are those that ended within `RECENTLY`."""
    by_reader: Mapping[str, list[ReaderStatus]] = {
        name: [one for one in standing if one.reader == name] for name in readers
    }
    rows = [
        [_spoken(name), WRONG if WRONG in (effects := {one.effect for one in found}) else LATE if effects else FINE]
        for name, found in by_reader.items()
    ]
    blocks: list[Block] = [
        Heading(1, "Status of the data"),
        Paragraph(f"As of {moment(now)}."),
        Grid(["what reads the data", "now"], rows) if rows else Paragraph("No reader of the data is declared."),
    ]
    if standing:
        header = ["what reads the data", "what", "since", "expected to be over by", "next update by", "said"]
        grid = [
            [
                _spoken(alike[0].reader),
                alike[0].effect,
                moment(min(one.incident.detected_at for one in alike)),
                _until(alike),
                moment(min(next_update(one.incident) for one in alike)),
                alike[0].said,
            ]
            for alike in _alike(standing)
        ]
        blocks += [Heading(2, "What is wrong"), Grid(header, grid)]
        if any(one.usual for one in standing):
            blocks.append(Paragraph("The moment by which something is expected to be over is that by which nine in ten "
                                    "like it were; it is no promise."))  # fmt: skip
    if over:
        grid = [
            [
                _spoken(alike[0].reader),
                moment(min(one.incident.detected_at for one in alike)),
                moment(max((end for one in alike if (end := _ended(one.incident)) is not None), default=None)),
                max((f"the data of {one.incident.watch.last}" for one in alike if one.incident.watch), default=NOTHING),
                alike[0].said,
            ]
            for alike in _alike(over)
        ]
        blocks += [
            Heading(2, "Over in the last seven days"),
            Grid(["what reads the data", "since", "until", "under watch until", "what"], grid),
        ]
    return blocks


def _alike(found: Sequence[ReaderStatus]) -> Collection[Sequence[ReaderStatus]]:
    """What is the same to who reads it: a cause that hits twenty days is one row, and not twenty."""
    together: dict[tuple[str, str, str], list[ReaderStatus]] = defaultdict(list)
    for one in found:
        together[one.reader, one.effect, one.said].append(one)
    return together.values()


def _until(alike: Sequence[ReaderStatus]) -> str:
    """By when all of it is expected to be over, if its past says so of each."""
    ends = [one.usual.expected_by(one.incident) for one in alike if one.usual is not None]
    return moment(max(ends)) if len(ends) == len(alike) else "not known yet"


def _ended(incident: Incident) -> datetime | None:
    return incident.times.recovered or incident.times.verified or incident.times.resolved


def _of_readers(store: IncidentStore, manifest: Path, incidents: Sequence[Incident]) -> list[ReaderStatus]:
    usual = {name: usual_recovery(store, name) for name in {one.failure_class for one in incidents if one.is_open}}
    found = [
        ReaderStatus(exposure.name, one, usual.get(one.failure_class))
        for one in incidents
        if not one.is_symptom
        for exposure in exposures_of(manifest, one)
    ]
    return sorted(found, key=lambda one: (one.incident.severity, one.incident.detected_at, one.reader))


def status_blocks(engine: Engine, now: datetime) -> list[Block]:
    """The page as things stand. Raises `OSError` where there are no models to ask who reads the data."""
    store, manifest = IncidentStore(engine), ensure_manifest()
    readers = sorted(one["name"] for one in read_manifest(manifest)["exposures"].values())
    recent = [~incident_heads.c.is_open, incident_heads.c.ended_at > now - RECENTLY]
    over = [one for one in store.find(*recent) if one.state is not State.FALSE_ALARM]
    return status_page(readers, _of_readers(store, manifest, store.open()), _of_readers(store, manifest, over), now)


def page_of(settings: Settings) -> Path:
    """Where the page is kept unless another place is named."""
    return settings.home / "status" / "index.html"


def write_status_page(engine: Engine, path: Path, now: datetime) -> None:
    """Write the page, in one step."""
    write_atomically(path, web.page(status_blocks(engine, now)).encode())


def keep_status_page(settings: Settings, engine: Engine, now: datetime) -> None:
    """Write it anew where somebody has begun one."""
    path = page_of(settings)
    if path.is_file():
        write_status_page(engine, path, now)
