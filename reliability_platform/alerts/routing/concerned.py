"""Whom an incident concerns by the routing file: who is told, as what, and why. Nobody else hears of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from reliability_platform.alerts.routing.declared import READER_OWNERS, SOURCE_OWNER, RouteCondition, Routing
from reliability_platform.alerts.routing.rotation import OnCall, on_call
from reliability_platform.contracts import CONTRACTS
from reliability_platform.formats import joined
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.impact import Exposure, exposures_of
from reliability_platform.incidents.model import Incident
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest


class HearsAs(StrEnum):
    """As what somebody hears of an incident. The first that holds counts: who works on it needs no letter to its readers."""

    TEAM = "works on it"
    SOURCE = "owns the source"
    READERS = "owns what reads it"


@dataclass
class Listener:
    """One recipient of an incident."""

    recipient: str
    role: HearsAs
    why: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Audience:
    """Everybody whom an incident concerns, by recipient, and those whom nobody could be found for."""

    told: dict[str, Listener]
    nobody: tuple[str, ...] = ()
    """Owners who are no recipients, in words."""


def holds(condition: RouteCondition, incident: Incident) -> bool:
    """Whether an incident is meant."""
    datasets = {incident.root_dataset, *incident.sources, *(signal.dataset for signal in incident.signals)}
    return (
        (not condition.severity or incident.severity in condition.severity)
        and (not condition.failure_class or incident.failure_class in condition.failure_class)
        and (not condition.type or CLASSES[incident.failure_class].type in condition.type)
        and (not condition.source or bool(set(condition.source) & {incident.source, *incident.sources}))
        and (
            not condition.dataset
            or any(fnmatchcase(dataset, pattern) for dataset in datasets for pattern in condition.dataset)
        )
    )


def may_hold(condition: RouteCondition, failure_class: str) -> bool:
    """Whether some incident of a class could be meant."""
    of_class = not condition.failure_class or failure_class in condition.failure_class
    return of_class and (not condition.type or CLASSES[failure_class].type in condition.type)


class Router:
    """The routing file at one moment. What the rotations and the models say is asked for once; `asks` as of `calendar_of`."""

    def __init__(self, settings: Settings, routing: Routing, now: datetime, *, asks: bool = True) -> None:
        self.settings, self.routing, self.now, self.asks = settings, routing, now, asks
        self._on_call: dict[str, OnCall] = {}
        self._exposures: dict[tuple[str, ...], list[Exposure]] = {}

    def on_call(self, rotation: str) -> OnCall:
        """Who is on call now."""
        if rotation not in self._on_call:
            self._on_call[rotation] = on_call(self.settings, self.routing, rotation, self.now, asks=self.asks)
        return self._on_call[rotation]

    def is_on_call(self, recipient: str) -> bool:
        """Whether somebody is told for a rotation now, also in place of somebody else."""
        return any(recipient in self.on_call(one).recipients for one in self.routing.rotations)

    @property
    def duties(self) -> list[OnCall]:
        """What was found out about the rotations so far."""
        return list(self._on_call.values())

    def audience(self, incident: Incident) -> Audience:
        """Whom an incident concerns as it stands."""
        told: dict[str, Listener] = {}
        nobody: list[str] = []
        for route in self.routing.routes:
            if holds(route.when, incident):
                found, lacking = self.found(route.tell, incident)
                nobody += lacking
                for recipient, role, more in found:
                    _add(told, recipient, role, f"{route.name} ({more})" if more else route.name)
        if not any(one.role is HearsAs.TEAM for one in told.values()):  # owners alone would leave it to nobody
            for name in self.routing.otherwise:
                _add(told, name, HearsAs.TEAM, "no route names anybody who works on it")
        return Audience(told, tuple(dict.fromkeys(nobody)))

    def found(self, names: Iterable[str], incident: Incident) -> tuple[list[tuple[str, HearsAs, str]], list[str]]:
        """Who is meant by names of recipients, of rotations and of owners: the recipient, as what, and why beyond the name.
        Then the owners who are no recipients, in words."""
        found: list[tuple[str, HearsAs, str]] = []
        lacking: list[str] = []
        for name in names:
            if name in self.routing.rotations:
                duty = self.on_call(name)
                found += [(one, HearsAs.TEAM, duty.why) for one in duty.recipients]
            elif name in (SOURCE_OWNER, READER_OWNERS):
                role = HearsAs.SOURCE if name == SOURCE_OWNER else HearsAs.READERS
                for said, what in self._owners(name, incident):
                    meant = self.routing.meant(said)
                    found += [(one, role, f"owner of {what}") for one in meant]
                    lacking += [] if meant else [f"{joined([one for one in said if one])}, owner of {what}"]
            else:
                found.append((name, HearsAs.TEAM, ""))
        return found, lacking

    def _owners(self, name: str, incident: Incident) -> list[tuple[Sequence[str], str]]:
        """The names and addresses of each owner, and what they own."""
        if name == READER_OWNERS:
            return [((one.owner, one.email), one.name) for one in self.exposures(incident)]
        sources = [one for one in dict.fromkeys([incident.source, *incident.sources]) if one in CONTRACTS]
        return [((CONTRACTS[one].owner,), one) for one in sources]

    def meant_by(self, exposure: Exposure) -> list[str]:
        """The recipients who own something that reads the data."""
        return self.routing.meant((exposure.owner, exposure.email))

    def exposures(self, incident: Incident) -> list[Exposure]:
        """What reads from where the incident began. Raises `OSError` where there are no models to ask."""
        began = (incident.root_dataset, *incident.sources)
        if began not in self._exposures:
            self._exposures[began] = exposures_of(self._manifest, incident)
        return self._exposures[began]

    @cached_property
    def _manifest(self) -> Path:
        return ensure_manifest()


def _add(told: dict[str, Listener], recipient: str, role: HearsAs, why: str) -> None:
    """Once for each recipient, with every reason, in the part that matters most."""
    one = told.setdefault(recipient, Listener(recipient, role))
    order = list(HearsAs)
    one.role = min(one.role, role, key=order.index)
    if why not in one.why:
        one.why.append(why)
