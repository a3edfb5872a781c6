"""`python -m tests.torture --kills 200 --seed 1 [--stage S] [--json]`; exits with 1 if a kill was not survived."""

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
from reliability_platform.warehouse.dbt_runner import MANIFEST, _manifest, ensure_manifest
from tests.torture.campaign import Kill, document, planned, run
from tests.torture.stages import STAGES


def _imported() -> None:
    """What every process would do anew, done once before the first fork."""
    os.environ.update(OTEL_SDK_DISABLED="true", DAGSTER_DISABLE_TELEMETRY="true", DO_NOT_TRACK="1")
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    import dbt.adapters.duckdb.connections
    import dbt.cli.main  # noqa: F401
    import soda.scan  # noqa: F401

    import reliability_platform.cli.session  # noqa: F401

    ensure_manifest()
    _manifest(MANIFEST, MANIFEST.stat().st_mtime_ns)
    gc.freeze()  # or the first collection in each process copies all that was imported


def _line(kill: Kill) -> str:
    words = "; ".join(kill.wrong) if kill.wrong else "survived"
    left = f"; left over: {', '.join(kill.leftovers)}" if kill.leftovers else ""
    return f"{kill.stage} {kill.number} at {kill.moment}: {words}{left}"


@click.command()
@click.option("--kills", type=click.IntRange(1), default=200, show_default=True, help="In all.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed strikes at the same moments.")
@click.option("--stage", "stages", multiple=True, type=click.Choice(list(STAGES)), help="Only this one; repeatable.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=None, help="Where the homes live. [default: temporary]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def torture(kills: int, seed: int, stages: tuple[str, ...], folder: Path | None, as_json: bool) -> None:
    """Kill every stage at seeded moments; after a plain re-run all must be as if nothing had happened."""
    _imported()
    where = folder or Path(tempfile.mkdtemp(prefix="torture-"))
    began = time.monotonic()
    done = []
    for kill in run(where, seed, planned(kills, stages or list(STAGES))):
        done.append(kill)
        click.echo(_line(kill), err=True)
    report = document(done, seed, time.monotonic() - began)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for row in report["stages"]:
            click.echo("  ".join(f"{name} {value}" for name, value in row.items()))
        click.echo(f"{report['survived']} of {report['kills']} kills survived in {report['seconds']} s.")
    if folder is None and report["survived"] == report["kills"]:
        shutil.rmtree(where)
    sys.exit(report["survived"] != report["kills"])


if __name__ == "__main__":
    torture()
