"""`reliability metrics`: what Prometheus would scrape, without a server; the alert rules and the dashboard that go with it."""

from pathlib import Path

import click

from reliability_platform.cli.options import home_option, write_or_print
from reliability_platform.cli.parameters import FilePath
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


@click.command()
@click.option(
    "--rules", is_flag=True, help="Print alert rules for Prometheus instead, with the limits of your settings."
)
@click.option("--dashboard", "grafana", is_flag=True, help="Print a dashboard for Grafana instead, as JSON to import.")
@click.option("--output", type=FilePath(dir_okay=False, path_type=Path), default=None, help="Write into this file.")
@home_option
def metrics(rules: bool, grafana: bool, output: Path | None, settings: Settings) -> None:
    """Print the metrics of the home, as `GET /metrics` of `reliability serve` has them (OpenMetrics)."""
    if rules and grafana:
        raise UsageError("--rules and --dashboard contradict each other: give one of them.")
    if rules:
        from reliability_platform.service.metrics.rules import rule_file

        text = rule_file(settings)
    elif grafana:
        from reliability_platform.service.metrics.grafana import dashboard

        text = dashboard()
    else:
        from reliability_platform.service.metrics.exposition import OPENMETRICS, exposition

        text = exposition(settings, operations_engine(settings), utc_now(), OPENMETRICS)[0].decode()
    write_or_print(text, output)
