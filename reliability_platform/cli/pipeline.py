"""Commands that move data: run, inject, heal, publish."""

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from reliability_platform.cli.backfill import Released, clearance, guard_options, reason_given, show_rehearsal
from reliability_platform.cli.options import (
    DAY,
    ask_first,
    check_range,
    day_range,
    held_words,
    hint,
    home_option,
    home_session,
    json_option,
    people,
    print_json,
    progress,
    why_option,
    yes_option,
)
from reliability_platform.clock import FIRST_DAY, days, utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.formats import span
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.lab.faults.plan import Injection
    from reliability_platform.orchestration.local import LocalDaemon
    from reliability_platform.recovery.unnoticed import Unnoticed


def _open_incidents(settings: Settings) -> list[dict[str, str]]:
    from reliability_platform.incidents.model import ENDED
    from reliability_platform.incidents.store import IncidentStore
    from reliability_platform.operations import operations_engine

    return [
        {"id": one.id, "severity": one.severity.value, "state": one.state.value, "source": one.source}
        for one in IncidentStore(operations_engine(settings)).all()
        if one.state not in ENDED
    ]


def _tell_incidents(incidents: list[dict[str, str]]) -> None:
    if not incidents:
        people.print("[green]No incident is open.[/green]")
    for incident in incidents:
        people.print(f"[yellow]{incident['severity']}[/yellow] {incident['id']} is {incident['state']}")
    _tell_next_step(incidents)


def _tell_next_step(incidents: list[dict[str, str]]) -> None:
    if incidents:
        worst = min(incidents, key=lambda one: one["severity"])
        look, heals = hint(f"incidents show {worst['id']}"), hint("heal")
        people.print(f"Look: {look}. Heal: {heals}.", markup=False)


def _tell_unjudged(settings: Settings, held: Collection[tuple[str, date]]) -> None:
    """Days that lack a result are held without an incident: say how to get it."""
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.unjudged import unjudged_words

    words = unjudged_words(settings, operations_engine(settings), held)
    if words:
        people.print(f"{words}.", markup=False)


def _tell_unreachable(settings: Settings) -> None:
    """Sources that cannot be asked, or looked for: their days are late, and nothing in what has landed says why."""
    from reliability_platform.landing.deliveries import unreachable

    for one in unreachable(settings):
        people.print(f"{one}.", markup=False, soft_wrap=True)


@click.command()
@day_range
@guard_options
@home_option
@json_option
def run(
    first: date, last: date, dry_run: bool, approve: bool, why: str | None, settings: Settings, as_json: bool
) -> int:
    """Run the pipeline over landing days, then open incidents for what failed.

    Days that have run before are run again; the result is the same. What would be another one, from older deliveries
    or models, or on dates that are closed, is refused, and so is a change that is frozen.
    """
    check_range(first, last)
    given = reason_given(approve, why)
    from reliability_platform.backfills.guard import Purpose

    if dry_run:
        show_rehearsal(settings, first, last, Purpose.ROUTINE, as_json, asks_source=True)
        return ExitCode.OK
    from reliability_platform.cli.session import driving
    from reliability_platform.contracts import SOURCES
    from reliability_platform.lab.faults.plan import ActivePlan
    from reliability_platform.warehouse.publication import current_version

    ActivePlan.load(settings).refuse_over_http(settings, SOURCES, list(days(first, last)))
    with driving(settings, healing=False) as (settings, daemon):
        before = current_version(settings)
        tags = clearance(settings, daemon, first, last, Purpose.ROUTINE, given, asks_source=True)
        daemon.run("pipeline", first=first, last=last, tags=tags)
        daemon.settle()
        incidents = _open_incidents(settings)
        released = Released.since(before, settings)
    if as_json:
        print_json({"from": first, "to": last, **released.document, "incidents": incidents})
    else:
        people.print(str(released))
        _tell_unjudged(settings, released.read.held_partitions if released.read else ())
        _tell_unreachable(settings)
        _tell_incidents(incidents)
    return ExitCode.NOT_HEALED if daemon.troubles or released.holds else ExitCode.OK


@click.command()
@click.argument("fault")
@click.option("--source", default=None, help="The source to break. [default: the first one that has what FAULT hits]")
@click.option(
    "--date", "day", type=DAY, default=None, help="The landing day into which it is injected. [default: the newest]"
)
@click.option(
    "--magnitude",
    default="medium",
    show_default=True,
    help="small, medium or large, or a number in the unit of the fault.",
)
@home_option
@json_option
def inject(fault: str, source: str | None, day: date | None, magnitude: str, settings: Settings, as_json: bool) -> int:
    """Break one source on one day with a declared FAULT. See `reliability faults list --source NAME` for what there is.

    Broken are simulated sources, and any in a home of the lab (`reliability lab record`); a real one is refused.

    The day lands again, broken; one that has not landed yet lands now, which is said. Then `reliability run --from DAY --to DAY` lets the platform notice. A fault of the
    running platform is injected at once, and is noticed at once.
    """
    from reliability_platform.contracts import SOURCES
    from reliability_platform.lab.clean import breakable
    from reliability_platform.lab.faults.catalogue import fault_named
    from reliability_platform.lab.faults.fault import Stage
    from reliability_platform.lab.faults.injection import refuse_impossible, rehearse
    from reliability_platform.lab.faults.landed_again import redeliver
    from reliability_platform.lab.faults.plan import ActivePlan, PlannedInjection, resolve_injection
    from reliability_platform.landing.admission import landed_partitions
    from reliability_platform.landing.writer import landing_folder

    if source is None:
        source = next(iter(fault_named(fault).applies_to), SOURCES[0])
    if day is None:
        landed = [one for name, one in landed_partitions(settings) if name == source]
        if not landed:
            raise UsageError(f"Nothing of {source} has landed yet: name a landing day with --date.")
        day = landed[-1]
    planned = PlannedInjection(fault=fault, source=source, date=day, magnitude=magnitude)
    injection = resolve_injection(planned, FIRST_DAY, date.max)
    refuse_impossible(settings, [injection])
    touched = injection.landing_dates()
    if touched[-1] >= utc_now().date():
        raise UsageError(f"{fault} on {day} reaches {touched[-1]}, which is not over yet: choose an earlier day.")
    live = fault_named(injection.fault).stage is not Stage.LANDING
    clean = breakable(settings, SOURCES if live else [source])  # the running platform has the rows of all of them
    told = {"fault": fault, "source": source, "date": day, "landing_days": [] if live else touched}
    if live:
        _inject_live(settings, injection, told if as_json else None)
        return ExitCode.OK
    with home_session(settings):
        before = ActivePlan.load(settings)
        if injection in before.injections:
            # The plan is saved last: it was killed when all was done, or somebody asks for the same once more.
            if as_json:
                print_json({**told, "injected": False})
            else:
                people.print(f"{fault} has been injected into {source} on {day} already: nothing is left to do.")
            return ExitCode.OK
        plan = before.with_injection(injection)
        plan.refuse_over_http(settings, [source], touched)
        rehearse(clean, plan)
        anew = [one for one in touched if not landing_folder(settings, source, one).exists()]
        for one in touched:
            redeliver(settings, plan, clean[source], one)
        plan.save(settings)  # last: an injection that was cut off can be run again, and is not refused as a second one
    if as_json:
        print_json({**told, "injected": True})
        return ExitCode.OK
    if anew:
        people.print(f"Nothing of {source} had landed on {span(anew)} before: it is no day of a run yet.")
    people.print(f"{fault} is injected into {source} on {day}. Let the platform notice it:")
    people.print(f"  {hint(f'run --from {touched[0]} --to {touched[-1]}')}", markup=False)
    return ExitCode.OK


def _inject_live(settings: Settings, injection: "Injection", told: dict[str, Any] | None) -> None:
    """Inject a fault into the running platform, and let it notice at once: what heals comes with `reliability heal`."""
    from reliability_platform.cli.live import inject_and_respond
    from reliability_platform.cli.session import driving
    from reliability_platform.lab.faults.plan import ActivePlan
    from reliability_platform.warehouse.publication import publications

    with driving(settings, healing=False) as (settings, daemon):
        if not publications(settings):
            raise UsageError(
                f"{injection.fault} needs a platform at work, and nothing is published in {settings.home} yet: "
                "run `reliability demo` or `reliability run` first."
            )
        inject_and_respond(settings, daemon, ActivePlan.load(settings).seed, injection)
        if told is not None:
            print_json({**told, "injected": True, "incidents": _open_incidents(settings)})
            return
        people.print(f"{injection.fault} is injected into {injection.source} on {injection.landing_date}.")
        _tell_incidents(_open_incidents(settings))


def _tell_plans(settings: Settings, incident_id: str | None, action: str | None, as_json: bool) -> int:
    """What healing would do to each open incident, or why it would not; what it would leave."""
    from reliability_platform.incidents.store import IncidentStore
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.unnoticed import unnoticed
    from reliability_platform.remediation.due import obstacle
    from reliability_platform.remediation.heal import describe

    engine = operations_engine(settings)
    store = IncidentStore(engine)
    named = incident_id is not None
    asked = [store.get(incident_id)] if incident_id is not None else store.open()
    attended = settings.model_copy(update={"attended": True})
    plans = [
        {
            "incident": incident.id,
            "would": describe(settings, incident, action),
            "but": obstacle(attended, engine, incident, utc_now(), approved=named, decided=named),
        }
        for incident in asked
    ]
    left = unnoticed(settings)
    if as_json:
        print_json(plans)
    for plan in () if as_json else plans:
        but = f" Not now: {plan['but']}." if plan["but"] else ""
        people.print(f"{plan['incident']}: {plan['would']}{but}", markup=False)
    if not as_json:
        _tell_left(left, none_open=not plans)
    return ExitCode.NOT_HEALED if left else ExitCode.OK


def _tell_left(left: "Unnoticed", *, none_open: bool) -> None:
    """What is wrong beside the incidents: that none is open does not mean that all is well."""
    if none_open:
        people.print("No incident is open, but not all is well:" if left else "[green]No incident is open.[/green]")
    for line in left.lines:
        people.print(f"{line}.", markup=False)


def _at_once(settings: Settings, incident_id: str, action: str | None, as_json: bool) -> None:
    """What needs no run of the pipeline: keep consumers safe by an action, or take the last one back."""
    from reliability_platform.actor import whoami
    from reliability_platform.audit_log import Changes, note_act
    from reliability_platform.operations import operations_engine
    from reliability_platform.remediation.heal import act, undo

    engine = operations_engine(settings)
    with home_session(settings):
        if action is None:
            words = undo(settings, engine, incident_id, utc_now(), whoami())
            note_act(engine, Changes.HEAL, f"{incident_id}: taken back", whoami(), "", utc_now())
        else:
            note_act(engine, Changes.HEAL, f"{incident_id}: {action}", whoami(), "", utc_now())
            words = act(settings, engine, incident_id, utc_now(), whoami(), action).summary
    if as_json:
        print_json({"done": words})
    else:
        people.print(words, markup=False)


@click.command()
@click.option("--incident", "incident_id", default=None, help="Only this incident, whatever its policy: your approval.")
@click.option("--action", default=None, help="Another action than the policy's; needs --incident.")
@click.option("--undo", "take_back", is_flag=True, help="Take the last action back that can be; needs --incident.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@home_option
@json_option
def heal(
    incident_id: str | None, action: str | None, take_back: bool, dry_run: bool, settings: Settings, as_json: bool
) -> int:
    """Heal open incidents: act, re-run, verify.

    Without --incident, all whose policy needs no approval, and what waits in quarantine since before a compatible change of
    its contract is read again. The actions `hold`, `release` and
    `fall_back_to_last_good_publication` heal nothing, but keep consumers safe meanwhile. One action that fails keeps no
    other incident from being healed. What is wrong without an incident (a damaged file, a day without a result) is said.
    """
    from reliability_platform.incidents.store import IncidentStore
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.unnoticed import unnoticed
    from reliability_platform.remediation.actions import action_named
    from reliability_platform.remediation.due import obstacle
    from reliability_platform.remediation.heal import act, describe
    from reliability_platform.remediation.healed import healed_since
    from reliability_platform.remediation.owner import ask_owner

    if (action is not None or take_back) and incident_id is None:
        raise UsageError(f"{'--undo' if take_back else '--action'} is for one incident: name it with --incident.")
    if take_back and (action is not None or dry_run):
        raise UsageError("--undo takes back the last action: leave out --action and --dry-run.")
    heals = action is None or action_named(action).heals
    if dry_run:
        return _tell_plans(settings, incident_id, action, as_json)
    if incident_id is not None and (take_back or not heals):
        _at_once(settings, incident_id, action, as_json)
        return ExitCode.OK
    if incident_id is not None:  # a slip is said at once, and not after Dagster has started
        IncidentStore(operations_engine(settings)).get(incident_id)
    from reliability_platform.actor import whoami
    from reliability_platform.audit_log import Changes, note_act
    from reliability_platform.cli.session import driving

    approver = f"{whoami()}, who approved it"
    with driving(settings, healing=True) as (settings, daemon):
        engine = operations_engine(settings)
        before = IncidentStore(engine).last_position()
        if incident_id is not None:
            incident = IncidentStore(engine).get(incident_id)
            reason = obstacle(settings, engine, incident, utc_now(), approved=True, decided=True)
            if action is None:
                ask_owner(settings, engine, incident, utc_now(), approver)
            if reason is None:
                # What is approved is said before it is done.
                progress.print(f"Approved: {describe(settings, incident, action)}", markup=False)
                note_act(
                    engine, Changes.HEAL, f"{incident.id}: {action or 'as its policy says'}", whoami(), "", utc_now()
                )
                done = act(settings, engine, incident.id, utc_now(), approver, action)
                progress.print(done.summary, markup=False)
            else:
                progress.print(f"{incident.id}: {reason}.", markup=False)
        else:
            _read_again(settings, daemon)
        daemon.settle()
        incidents, healed = _open_incidents(settings), healed_since(settings, engine, before, utc_now())
        left = unnoticed(settings)
    if as_json:
        print_json({"healed": [one.document for one in healed], "open": incidents, **left.document()})
    else:
        for one in healed:
            people.print(str(one), markup=False)
        _tell_left(left, none_open=not healed)
        _tell_next_step(incidents)
    return ExitCode.NOT_HEALED if incidents or daemon.troubles or left else ExitCode.OK


def _read_again(settings: Settings, daemon: "LocalDaemon") -> None:
    """What failed under another contract than that of today may fit this one."""
    from reliability_platform.clock import spans
    from reliability_platform.remediation.contract_change import readmissible

    for first, last in spans(one.landing_date for one in readmissible(settings)):
        progress.print(f"The contract has changed since: dead letters of {span((first, last))} are read again.")
        daemon.run("reprocess", first=first, last=last)


def _leaving(settings: Settings) -> str:
    from reliability_platform.warehouse.publication import current_version

    version = current_version(settings)
    if version is None:
        raise UsageError("Nothing is published yet: there is no version to go back from.")
    return version


@click.command()
@click.option("--rollback", is_flag=True, help="Point consumers back to the version before.")
@click.option(
    "--dry-run", is_flag=True, help="With --rollback: name the version that consumers would leave; change nothing."
)
@why_option
@yes_option
@home_option
@json_option
def publish(rollback: bool, dry_run: bool, why: str | None, yes: bool, settings: Settings, as_json: bool) -> int:
    """Publish what the gate releases, or go back one version.

    Going back asks first; where nobody can be asked it needs --yes and --why.
    """
    if dry_run and not rollback:
        raise UsageError("--dry-run is for --rollback: what would be published `reliability run --dry-run` shows.")
    if why is not None and not rollback:
        raise UsageError("--why is for --rollback: a publication goes by what the checks say.")
    leaving, reason = "", ""
    if rollback:
        leaving = _leaving(settings)
        if dry_run:
            people.print(f"Consumers would go back one version from {leaving}.")
            return ExitCode.OK
        reason = ask_first(f"Consumers go back one version from {leaving}.", why, yes)
    with home_session(settings):
        if rollback:
            from reliability_platform.actor import whoami
            from reliability_platform.audit_log import Destroys
            from reliability_platform.incidents.anchor import recorded
            from reliability_platform.operations import operations_engine
            from reliability_platform.warehouse.publication import rollback as go_back

            engine, what = operations_engine(settings), f"the version {leaving}"
            with recorded(settings, engine, Destroys.ROLLBACK, what, whoami(), reason, utc_now):
                publication = go_back(settings)
        else:
            from reliability_platform.checks.failed_runs import PUBLICATION
            from reliability_platform.cli.telling import telling
            from reliability_platform.pipeline import steps

            with telling(settings, "publish", PUBLICATION):
                publication = steps.publish(steps.RunContext.of(settings, "command line"))
    if as_json:
        print_json(vars(publication) | {"tables": [vars(table) for table in publication.tables]})
    else:
        from reliability_platform.warehouse.lacking import total
        from reliability_platform.warehouse.provisional import file_name
        from reliability_platform.warehouse.published import held_lines, kept_tables, shown_key

        people.print(f"Consumers read {publication.version}; {held_words(publication.held)}.")
        for kept in kept_tables(settings, publication):
            people.print(f"  {kept}.", markup=False)
        for table in publication.tables:
            short = ", ".join(f"{counted(number, 'row')} {state}" for state, number in total(table.lacks).items())
            if short:
                people.print(f"  {table.name} lacks {short}.")
            if table.provisional is not None:
                days = ", ".join(f"{day} (as {other})" for day, other in table.provisional.dates.items())
                people.print(f"  {file_name(table.name)} has provisional rows for {days}.", markup=False)
            for name, rows in total(table.corrected).items():
                people.print(f"  {table.name} counts {counted(rows, 'row')} as corrected by {name}.", markup=False)
        for key, servers in publication.from_fallback.items():
            people.print(
                f"  {shown_key(key)} came from {' and '.join(servers)}, not from its first server.", markup=False
            )
        for line in held_lines(publication.held):
            people.print(f"  {line}", markup=False)
    return ExitCode.NOT_HEALED if publication.held else ExitCode.OK
