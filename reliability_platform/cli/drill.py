"""`reliability drill`: rehearse a disaster."""

import click
from rich.markup import escape

from reliability_platform.cli.options import home_option, json_option, people, print_json
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.settings import Settings


@click.group()
def drill() -> None:
    """Rehearse a disaster on a clone of the home: lose, recover, measure, prove.

    The loss is real, but happens in a clone in a hidden folder of the home, made by hard links where files never change.
    So the home stays as it is, even if the drill is killed. Reports are in `drills/` of the home.
    """


def _do(name: str, table: str | None, settings: Settings, as_json: bool) -> int:
    from reliability_platform.lab.drills.drills import run_drill
    from reliability_platform.lab.drills.report import keep
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.drill_log import Drill

    report = run_drill(settings, Drill(name), utc_now, table)
    path = keep(settings, operations_engine(settings), report)
    if as_json:
        print_json({**report.document(), "report": path})
    else:
        status = "[green]met[/green]" if report.met else "[bold red]NOT met[/bold red]"
        people.print(f"Lost: {report.lost}. Objectives {status}.")
        people.print(f"  rows lost: {report.rows_lost:,} (at most {report.objective_rows:,})")
        people.print(f"  seconds to recover: {report.recovery_seconds:.1f} (at most {report.objective_seconds:g})")
        words = {True: "yes", False: "NO", None: "nobody to ask"}
        people.print(
            f"  equal to before: {words[report.equal_to_before]}; to a run without failures: "
            f"{words[report.oracle_equal]}"
        )
        for remark in report.remarks:
            people.print(f"  {remark}", markup=False)
        people.print(f"Report: {path}", markup=False)
    return ExitCode.OK if report.met else ExitCode.NOT_HEALED


@drill.command("table-loss")
@click.option("--table", default=None, help="The table to lose. [default: the one with the most rows]")
@home_option
@json_option
def table_loss(table: str | None, settings: Settings, as_json: bool) -> int:
    """Drop a table of the warehouse; put it back from the newest snapshot."""
    return _do("table-loss", table, settings, as_json)


@drill.command("warehouse-loss")
@home_option
@json_option
def warehouse_loss(settings: Settings, as_json: bool) -> int:
    """Delete the warehouse file; put it back, build what is missing."""
    return _do("warehouse-loss", None, settings, as_json)


@drill.command("home-loss")
@home_option
@json_option
def home_loss(settings: Settings, as_json: bool) -> int:
    """Delete the home; put it back, ask the source for what the snapshot had not."""
    return _do("home-loss", None, settings, as_json)


@drill.command("region-loss")
@home_option
@json_option
def region_loss(settings: Settings, as_json: bool) -> int:
    """Lose the whole home and the place of its snapshots; restore from the second place, RELIABILITY_SNAPSHOT_REPLICA_URL."""
    return _do("region-loss", None, settings, as_json)


@drill.command("source-outage")
@home_option
@json_option
def source_outage(settings: Settings, as_json: bool) -> int:
    """Let a source turn everybody away for a landing day, then answer again."""
    return _do("source-outage", None, settings, as_json)


@drill.command("list")
@home_option
@json_option
def list_drills(settings: Settings, as_json: bool) -> int:
    """Show the drills and experiments that were done, and which are overdue."""
    from reliability_platform.lab.calendar import calendar
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.drill_log import DrillLog, overdue

    engine = operations_engine(settings)
    done, late = DrillLog(engine).all(), overdue(calendar(settings), settings, engine, utc_now())
    if as_json:
        print_json({"drills": [vars(one) for one in done], "overdue": {str(key): words for key, words in late.items()}})
        return ExitCode.NOT_HEALED if late else ExitCode.OK
    if done:
        table = Table()
        for column in ("number", "drill or experiment", "begun (UTC)", "rows lost", "seconds", "objectives"):
            table.add_column(column)
        for one in done:
            table.add_row(
                str(one.id),
                one.drill,
                f"{one.began_at:%Y-%m-%d %H:%M}",
                f"{one.rows_lost:,}",
                f"{one.recovery_seconds:.1f}",
                "met" if one.met else "[bold red]NOT met[/bold red]",
            )
        people.print(table)
    else:
        people.print("No drill has been done yet.")
    for words in late.values():
        people.print(f"[yellow]{escape(words)}[/yellow]")
    return ExitCode.NOT_HEALED if late else ExitCode.OK
