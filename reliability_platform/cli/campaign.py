"""`reliability campaign`: the checks, the incidents and the healing against every fault at every size."""

from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from reliability_platform.cli.options import (
    home_option,
    home_session,
    json_option,
    people,
    print_json,
    progress,
)
from reliability_platform.cli.parameters import Whole
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode
from reliability_platform.formats import percent, seconds
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.lab.recordings.recording import Recording


def _run(settings: Settings, grid: str, seeds: int, first_seed: int, kills: int, with_drills: bool) -> dict[str, Any]:
    from reliability_platform.contracts import SOURCES
    from reliability_platform.lab.campaign.campaign import measured, run_campaign
    from reliability_platform.lab.campaign.grade import TrialOutcome
    from reliability_platform.lab.clean import breakable, recording_of

    breakable(settings, SOURCES)
    recording = recording_of(settings)

    columns = (TextColumn("worlds"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=progress, disable=not progress.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def on_trial(done: int, total: int, trial: TrialOutcome) -> None:
            bar.update(task, completed=done, total=total)
            missed = [one.id for one in trial.scenarios if not one.detected and one.window != "limit"]
            words = f"world {done} of {total}: {counted(len(trial.scenarios), 'scenario')}, {counted(len(trial.controls), 'control')}"
            progress.print(words + (f", missed {', '.join(missed)}" if missed else ""))

        document = run_campaign(settings.home / "campaign", grid, seeds, on_trial, first_seed, recording)
    return (
        document
        | _lost_on_purpose(settings, document["seeds"][0], kills, with_drills, recording)
        | {"measured": measured(utc_now())}
    )


def _lost_on_purpose(
    settings: Settings, seed: int, kills: int, with_drills: bool, recording: "Recording | None"
) -> dict[str, Any]:
    """What was asked for beside the grid; None for what was not."""
    from reliability_platform.lab.campaign.kills import Kill, run_kills
    from reliability_platform.lab.campaign.rehearsals import run_drills
    from reliability_platform.lab.drills.drills import DrillReport

    def on_drill(report: DrillReport) -> None:
        words = "objectives met" if report.met else "objectives NOT met"
        progress.print(f"drill {report.drill}: {words}, {seconds(report.recovery_seconds)}")

    def on_kill(kill: Kill) -> None:
        words = "; ".join(kill.wrong) if kill.wrong else "survived"
        progress.print(
            f"killed after {seconds(kill.at_seconds)} of {seconds(kill.work_seconds)}: {words}", markup=False
        )

    folder = settings.home / "campaign"
    return {
        "drills": run_drills(folder / "drills", seed, utc_now, on_drill, recording) if with_drills else None,
        "kills": run_kills(folder / "kills", kills, seed, on_kill, recording) if kills else None,
    }


def _interval(one: dict[str, Any]) -> str:
    if one["share"] is None:
        return "nothing to count"
    return (
        f"{percent(one['share'])} ({one['hits']} of {one['n']}; 95 %: {percent(one['low'])} to {percent(one['high'])})"
    )


def show(document: dict[str, Any]) -> None:
    """The campaign for a person: what was seen, and as loudly what was not."""
    summary, mutation = document["summary"], document["mutation"]
    headline = Table(
        title=f"{counted(summary['scenarios'], 'scenario')}, {counted(summary['controls'], 'control')}",
        show_header=False,
    )
    names = {
        "detected": "detected",
        "root_cause": "root cause right",
        "severity": "severity right",
        "changed_file": "faults of the code whose file is named first as what changed",
        "contained": "contained",
        "told": "published and told",
        "healed": "healed, and equal to a run without the fault",
        "false_alarm_per_control": "controls with a false alarm",
        "false_alarm_per_clean_partition_day": "clean partition-days with a false alarm",
    }
    for key, words in names.items():
        headline.add_row(words, _interval(summary["intervals"][key]))
    headline.add_row("quarantined rows that are bad ones", percent(summary["quarantine_precision"]))
    headline.add_row("bad rows that are quarantined", percent(summary["quarantine_recall"]))
    if summary["incidents_per_fault"] is not None:
        headline.add_row("incidents for each fault", f"{summary['incidents_per_fault']:.3f}")
    people.print(headline)
    unknown = summary["scenarios"] - summary["intervals"]["contained"]["n"]
    if unknown:
        people.print(
            f"Of {counted(unknown, 'fault')} nobody can tell whether consumers saw it, nor whether its rows are right in the end: "
            "published tables differ, none is of its source alone, and others were hit as well."
        )
    _show_healing(document)
    families = Table(title="Detected, by family and size")
    for column in ("family", "size", "scenarios", "detected", "95 % interval"):
        families.add_column(column)
    for row in summary["by_family_and_magnitude"]:
        families.add_row(
            row["family"],
            row["magnitude"],
            str(row["n"]),
            percent(row["share"]),
            f"{percent(row['low'])} to {percent(row['high'])}",
        )
    people.print(families)
    for row in summary["baselines"]:
        people.print(
            f"Baseline {row['name']}: detects {percent(row['detected_share'])}, "
            f"cries at {percent(row['false_alarm_share'])} of the controls."
        )
    for row in summary["limits"]:
        people.print(f"Limit: {row['fault']} of {row['size']:g} seen {row['detected']} of {counted(row['n'], 'time')}.")
    for row in mutation["surviving_faults"]:
        people.print(
            f"[bold red]SURVIVED[/bold red] {row['fault']} ({row['magnitude']}) on {row['source']}: "
            f"nobody noticed {row['missed']} of {row['scenarios']}."
        )
    left_out = document.get("left_out", ())
    if left_out:
        told = sorted({one.partition("/")[0] for one in left_out})
        people.print(
            f"Left out, for the recorded days have nothing that they would break: {', '.join(told)}.", markup=False
        )
    wolves = [one for one in document["controls"] if one["false_alarms"]]
    for one in wolves:
        people.print(f"[bold red]FALSE ALARM[/bold red] {one['id']}: {', '.join(one['checks'])}")
    for one in summary["false_alarms_elsewhere"]:
        people.print(f"[bold red]FALSE ALARM[/bold red] on a clean day: {one}")
    people.print(
        f"{counted(len(mutation['redundant_checks']), 'check')} caught nothing that another did not catch too; "
        f"{len(mutation['never_fired'])} never fired."
    )
    if not mutation["surviving_faults"]:
        people.print("[bold green]No fault survived.[/bold green]")


def _show_healing(document: dict[str, Any]) -> None:
    from reliability_platform.lab.scorecard.report.healing import healing_of

    found = healing_of(document)
    if found is None:
        return
    for one in found.tables:
        shown = Table(title=one.caption)
        for column in one.columns:
            shown.add_column(column)
        for row in one.rows:
            shown.add_row(*map(str, row))
        people.print(shown)
    for sentence in found.sentences:
        people.print(sentence, markup=False)
    for sentence in found.against:
        people.print(Text(sentence, style="bold red"))


@click.command()
@click.option("--grid", type=click.Choice(["standard", "quick", "subtle"]), default="standard", show_default=True,
              help="All faults, sizes, sources and windows; each fault and size once; or those that break no rule.")  # fmt: skip
@click.option("--seeds", type=Whole(1, 50), default=1, show_default=True, help="Repeat the grid so often.")
@click.option("--first-seed", type=Whole(0, 1_000_000), default=101, show_default=True,
              help="The seed of the first grid; each further one counts on. Another one with each release.")  # fmt: skip
@click.option("--with-kills", "kills", type=Whole(0, 1000), default=0, show_default=True,
              help="Kill a process at its work so often, at seeded moments, and run it again.")  # fmt: skip
@click.option("--with-drills", is_flag=True, help="Do every drill on a small trial: rows lost, seconds to recover.")
@home_option
@json_option
def campaign(
    grid: str, seeds: int, first_seed: int, kills: int, with_drills: bool, settings: Settings, as_json: bool
) -> int:
    """Measure which faults the checks catch at which size, what slips through, false alarms, and what healing takes.

    Runs in trials of its own; the data of the home are not touched. In a home of the lab (`reliability lab record`) trials
    are made of the recorded days. The document is kept in scorecards/campaign.json.
    """
    from reliability_platform.cli.demo_home import refuse_landing_elsewhere

    refuse_landing_elsewhere(settings)
    with home_session(settings):
        document = _run(settings, grid, seeds, first_seed, kills, with_drills)
        from reliability_platform.lab.campaign.document import keep_campaign
        from reliability_platform.lab.scorecard.report.healing import healing_of
        from reliability_platform.lab.scorecard.report.render import write_report

        path = keep_campaign(settings, document)
        report = write_report(path.with_name("report.html"), None, document, None)
    if as_json:
        print_json(document)
    else:
        show(document)
        people.print(f"{document['seconds']:.0f} s. All of it: {path}", markup=False)
        people.print(f"To look at: {report}", markup=False)
    survivors = [row for row in document["mutation"]["surviving_faults"] if row["magnitude"] != "small"]
    healing = healing_of(document)
    failed = survivors or document["summary"]["false_alarms"] or (healing is not None and healing.against)
    return ExitCode.NOT_HEALED if failed else ExitCode.OK
