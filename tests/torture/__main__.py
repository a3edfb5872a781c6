"""`python -m tests.torture --kills 200 --seed 1 [--stage S] [--json]`; exits with 1 if something was not survived."""

import gc
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from reliability_platform.orchestration import definitions  # noqa: F401  (imported once, for all processes)
from reliability_platform.warehouse.dbt_manifest import ensure_manifest, parsed_project
from tests.torture.campaign import Campaign, Interruption, document, planned
from tests.torture.killing import HARD_LIMIT_SECONDS
from tests.torture.stages import STAGES


def _imported() -> None:
    """What every process would do anew, done once before the first fork."""
    os.environ.update(OTEL_SDK_DISABLED="true", DAGSTER_DISABLE_TELEMETRY="true", DO_NOT_TRACK="1")
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    import dbt.adapters.duckdb.connections
    import dbt.cli.main  # noqa: F401

    import reliability_platform.cli.session  # noqa: F401
    from reliability_platform.checks.soda_scan import scan_class

    scan_class()
    parsed_project(ensure_manifest())
    gc.freeze()  # or the first collection in each process copies all that was imported


def _line(interruption: Interruption) -> str:
    words = "; ".join(interruption.wrong) if interruption.wrong else "survived"
    left = f"; left over: {', '.join(interruption.leftovers)}" if interruption.leftovers else ""
    return f"{interruption.kind} {interruption.stage} {interruption.number} ({interruption.moment}): {words}{left}"


@click.command()
@click.option("--kills", type=click.IntRange(0), default=200, show_default=True, help="Processes killed, in all.")
@click.option("--fills", type=click.IntRange(0), default=16, show_default=True, help="Disks that run full.")
@click.option("--holds", type=click.IntRange(0), default=10, show_default=True, help="Files that somebody else holds.")
@click.option("--jumps", type=click.IntRange(0), default=8, show_default=True, help="Clocks that jump.")
@click.option("--servers", type=click.IntRange(0), default=12, show_default=True, help="Database servers that stop.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed hits at the same moments.")
@click.option("--stage", "only", multiple=True, type=click.Choice(list(STAGES)), help="Only this one; repeatable.")
@click.option("--patience", type=click.FloatRange(min=1), default=HARD_LIMIT_SECONDS, show_default=True,
              help="Seconds after which a process hangs; a loaded machine needs more.")  # fmt: skip
@click.option("--folder", type=click.Path(path_type=Path), help="Where the homes live. [default: temporary]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def torture(
    kills: int,
    fills: int,
    holds: int,
    jumps: int,
    servers: int,
    seed: int,
    only: tuple[str, ...],
    patience: float,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Kill every stage at seeded moments; after a plain re-run all must be as if nothing had happened."""
    _imported()
    where = folder or Path(tempfile.mkdtemp(prefix="torture-"))
    began, campaign, done = time.monotonic(), Campaign(where, seed, patience), []
    for kind, count in (("kill", kills), ("fill", fills), ("hold", holds), ("jump", jumps), ("server", servers)):
        for plan in planned(kind, count, only):
            done.append(campaign.interrupt(*plan))
            click.echo(_line(done[-1]), err=True)
    report = document(done, seed, time.monotonic() - began)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for row in report["stages"]:
            click.echo("  ".join(f"{name} {value}" for name, value in row.items()))
        click.echo(
            f"{report['survived']} of {report['interruptions']} interruptions survived in {report['seconds']} s."
        )
    if folder is None and report["survived"] == report["interruptions"]:
        shutil.rmtree(where)
    sys.exit(report["survived"] != report["interruptions"])


if __name__ == "__main__":
    torture()
