"""Collects what the home says about an incident, and makes its documents from it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.atomic import write_atomically
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, UsageError
from reliability_platform.incidents.breach import breach_of
from reliability_platform.incidents.changes import what_changed
from reliability_platform.incidents.documents.blocks import Block
from reliability_platform.incidents.documents.incident_page import incident_page
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.incidents.documents.situation import HERE, Readers, Remedy, Situation
from reliability_platform.incidents.impact import (
    Numbers,
    Reach,
    consumers,
    numbers_of_each,
    radius,
    reach,
    rows_of_days,
    spoiled_columns,
)
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.overview import overview, screen
from reliability_platform.incidents.recurring import recurrence_of
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.incidents.usual_recovery import usual_recovery
from reliability_platform.lineage.picture import picture
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions import action_named
from reliability_platform.remediation.due import left_to_a_person, obstacle
from reliability_platform.remediation.policy import ON_THE_RECORD, POLICIES
from reliability_platform.settings import DEFAULT_HOME, Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import hurried, warehouse_reader
from reliability_platform.warehouse.marts import read_manifest
from reliability_platform.warehouse.published import Partition, Publication, current_version, read_publication

LOOK_SECONDS = 1.0
"""So long somebody who looks at an incident waits for the warehouse: a run may have it for an hour."""
JUDGED_BEFORE = 20
"""Earlier results that are looked at: by then the story is told."""


def _raises(failure_class: str, name: str) -> bool:
    """Whether a check of this property fails as a case of the class."""
    return any(
        spec.failure_class == failure_class and spec.name == f"{spec.dataset}__{name}" for spec in CHECKS.values()
    )


def remedy_of(
    failure_class: str, plan: str | None = None, hindrance: str | None = None, by_person: str | None = None
) -> Remedy:
    """What the policy says about a class; for an incident, what healing would do and what keeps the platform from it."""
    policy = POLICIES[failure_class]
    action = action_named(policy.action)
    return Remedy(
        action=action.purpose,
        automatic=policy.automatic,
        max_attempts=policy.max_attempts,
        proof=(*policy.proof, *(name for name in policy.event_date_proof if name not in policy.proof)),
        on_record=tuple(
            f"{name.replace('_', ' ')} ({why})" for name, why in ON_THE_RECORD.items() if _raises(failure_class, name)
        ),
        escalation=policy.escalation,
        conditions=tuple(name.replace("_", " ") for name in policy.conditions),
        backoff=policy.backoff,
        time_limit=policy.time_limit,
        watch_days=policy.watch_days,
        leaves=action.leaves,
        plan=plan,
        obstacle=hindrance,
        left_to_a_person=by_person,
    )


class Together:
    """What the pages of some incidents that are written at once are made from alike: asked once, with the first of them.

    A lost warehouse must not keep anybody from reading the runbook, nor one that somebody else has.
    """

    def __init__(self, settings: Settings, incidents: Sequence[Incident]) -> None:
        self._settings, self._incidents = settings, incidents

    def numbers(self, incident: Incident) -> Numbers | None:
        """How much is concerned; None where the warehouse cannot be asked."""
        found = self._numbers
        return found[incident.id] if found is not None else _numbers_of(self._settings, [incident])[incident.id]

    @cached_property
    def _numbers(self) -> Mapping[str, Numbers | None] | None:
        """None where something fails for one of them: then each is asked about by itself."""
        import duckdb

        try:
            return _numbers_of(self._settings, self._incidents)
        except (UsageError, duckdb.Error):
            return None

    @cached_property
    def manifest(self) -> Path:
        """What dbt has parsed of the project."""
        return ensure_manifest()

    @cached_property
    def publication(self) -> Publication | None:
        """What consumers read; None before the first publication."""
        version = current_version(self._settings)
        return None if version is None else read_publication(self._settings, version)

    @cached_property
    def shown(self) -> frozenset[Partition]:
        """What it shows fresh."""
        return consumers(self._settings, self.manifest).shown


def _numbers_of(settings: Settings, incidents: Sequence[Incident]) -> dict[str, Numbers | None]:
    try:
        with warehouse_reader(settings) as connection:
            found = numbers_of_each(connection, [(one.source, one.partitions) for one in incidents])
    except (EnvironmentUnusableError, HomeBusyError):
        return dict.fromkeys((one.id for one in incidents), None)
    return {one.id: counts for one, counts in zip(incidents, found, strict=True)}


def _plan(settings: Settings, incident: Incident) -> str | None:
    try:
        return action_named(POLICIES[incident.failure_class].action).describe(settings, incident)
    except (EnvironmentUnusableError, HomeBusyError):
        return None


def _readers(together: Together, incident: Incident) -> Readers:
    publication = together.publication
    if publication is None:
        return Readers(None, None)
    partitions, shown = publication.held_partitions, together.shown
    held = {day: partitions[one] for day in incident.partitions if (one := (incident.source, day)) in partitions}
    fresh = [day for day in incident.partitions if (incident.source, day) in shown]
    return Readers(publication.version, publication.previous, fresh, held)


def _reads(manifest_path: Path, exposures: Sequence[str]) -> Mapping[str, list[str]]:
    """Exposure → the tables that it reads, by dbt's manifest."""
    manifest = read_manifest(manifest_path)
    tables = {**manifest["nodes"], **manifest["sources"]}
    return {
        node["name"]: sorted(tables[key]["name"] for key in node["depends_on"]["nodes"] if key in tables)
        for node in manifest["exposures"].values()
        if node["name"] in exposures
    }


def _judged_before(engine: Engine, incident: Incident) -> list[CheckResult]:
    """What the checks that failed had said otherwise about the same days before the detection, the newest first."""
    store = CheckStore(engine)
    first = {(one.check, one.partition): one.status for one in reversed(incident.signals)}
    found = [
        result
        for (check, day), status in list(first.items())[:JUDGED_BEFORE]
        for result in store.history(check, day)
        if result.evaluated_at <= incident.detected_at and result.status.value != status
    ]
    return sorted(found, key=lambda one: one.evaluated_at, reverse=True)[:JUDGED_BEFORE]


def _first_judged(engine: Engine, incident: Incident) -> list[str]:
    """The checks that failed whose first results on these days are the failed ones."""
    failed: dict[tuple[str, date], int] = {}
    for one in (signal for signal in incident.signals if signal.result_id):  # 0: of a release that kept no number
        failed[one.check, one.partition] = min(one.result_id, failed.get((one.check, one.partition), one.result_id))
    oldest = CheckStore(engine).first_results(sorted({check for check, _ in failed}), incident.partitions)
    before = {check for (check, day), number in failed.items() if oldest.get((check, day), number) < number}
    return sorted({check for check, _ in failed} - before)


def _elsewhere(settings: Settings) -> Path | None:
    return None if settings.home == DEFAULT_HOME else settings.home


def _reach(manifest: Path, incident: Incident) -> Reach:
    """Everything downstream of the source, and the columns that the incident spoils."""
    downstream = reach(manifest, incident.source)
    try:
        return replace(downstream, spoiled=spoiled_columns(manifest, incident))
    except EnvironmentUnusableError:
        return downstream  # models that do not compile must not keep anybody from reading the runbook


def _picture(manifest: Path, incident: Incident) -> str | None:
    try:
        return picture(radius(manifest, incident))
    except EnvironmentUnusableError:
        return None


def situation_of(
    settings: Settings, engine: Engine, incident: Incident, now: datetime, together: Together | None = None
) -> Situation:
    """Everything about an incident that its documents say beyond its own timeline; `together` where there are more to write."""
    together = together or Together(settings, [incident])
    downstream = _reach(together.manifest, incident)
    hindrance = obstacle(settings, engine, incident, now)
    return Situation(
        now=now,
        reach=downstream,
        remedy=remedy_of(
            incident.failure_class,
            _plan(settings, incident),
            hindrance,
            left_to_a_person(settings, engine, incident, now) if incident.is_open else None,
        ),
        terms=read_policy(settings.response_policy),
        numbers=together.numbers(incident),
        readers=_readers(together, incident),
        home=_elsewhere(settings),
        reads=_reads(together.manifest, [one.name for one in downstream.exposures]),
        judged_before=_judged_before(engine, incident),
        first_judged=_first_judged(engine, incident),
        usual=usual_recovery(IncidentStore(engine), incident.failure_class) if incident.is_open else None,
        changed=what_changed(settings, engine, together.manifest, incident),
        breach=breach_of(settings, engine, incident),
        recurrence=recurrence_of(IncidentStore(engine), incident),
    )


def situation_seen(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> Situation:
    """The same for somebody who looks and does not wait for a run to end: what only the warehouse knows may be missing."""
    return situation_of(hurried(settings, LOOK_SECONDS), engine, incident, now)


def _by_hand(incident: Incident) -> str:
    """What the failed checks say that a person is to do."""
    hints = dict.fromkeys(CHECKS[one.check].recovery for one in incident.signals if one.check in CHECKS)
    return " ".join(hint for hint in hints if "reliability heal" not in hint)


def _next_step(settings: Settings, incident: Incident, now: datetime) -> str:
    """What the platform does by itself, or what keeps it from that; and what healing would do."""
    reason = obstacle(settings, operations_engine(settings), incident, now)
    if incident.state is State.RECOVERING:
        return "Wait: it is being healed, and ends by itself once its checks pass."
    plan = _plan(settings, incident) or ""
    by_person = left_to_a_person(settings, operations_engine(settings), incident, now)
    if by_person is not None:
        return f"Only a person can end it: {by_person}. {plan} {_by_hand(incident)}".strip()
    if reason is None:
        return f"The platform heals it by itself. {plan}"
    return f"The platform does nothing by itself: {reason}. `reliability heal` would: {plan}"


def render_overview(settings: Settings, incident: Incident, now: datetime) -> str:
    """One screen of plain text, with the rows as of the last audit: nobody who looks takes the warehouse from a run."""
    settings, engine = hurried(settings, LOOK_SECONDS), operations_engine(settings)
    lineage = reach(ensure_manifest(), incident.source)
    rows = rows_of_days(settings, engine, incident.source, incident.partitions)
    step = _next_step(settings, incident, now) if incident.is_open else ""
    policy = read_policy(settings.response_policy)
    heals = incident.is_open and left_to_a_person(settings, engine, incident, now) is None
    changed = what_changed(settings, engine, ensure_manifest(), incident)
    home = _elsewhere(settings)
    usual = usual_recovery(IncidentStore(engine), incident.failure_class) if incident.is_open else None
    again = recurrence_of(IncidentStore(engine), incident)
    return screen(
        overview(
            incident, lineage, rows, policy, now, step, home,
            heals=heals, breach=breach_of(settings, engine, incident, counts=False), changed=changed, usual=usual, recurrence=again,
        )
    )  # fmt: skip


def documents_folder(settings: Settings) -> Path:
    """Where the documents of incidents are kept, for reading without the platform."""
    return settings.home / "incidents"


def write_document(settings: Settings, name: str, blocks: Sequence[Block]) -> str:
    """Keep a document as `<name>.md` and `<name>.html`, each in one step; returns what the first one says."""
    folder = documents_folder(settings)
    from reliability_platform.incidents.documents import web  # with a reader of Markdown, which only a file needs

    said = markdown(blocks)
    for file, content in ((f"{name}.md", said), (f"{name}.html", web.page(blocks))):
        write_atomically(folder / file, content.encode())
    return said


def write_page(
    settings: Settings, engine: Engine, incident: Incident, now: datetime, together: Together | None = None
) -> str:
    """Write the page of an incident as it stands now, with the picture of what it reaches; returns it as Markdown."""
    together = together or Together(settings, [incident])
    situation = situation_of(settings, engine, incident, now, together)
    if situation.home is not None:
        situation = replace(situation, home=HERE)
    return write_document(
        settings, incident.id, incident_page(incident, situation, _picture(together.manifest, incident))
    )
