"""`reliability incidents status-page`: one page for whoever reads the data."""

from pathlib import Path

import click

from reliability_platform.alerts.status_page import page_of, write_status_page
from reliability_platform.cli.options import echo, file_to_write, home_option
from reliability_platform.cli.parameters import FilePath
from reliability_platform.clock import utc_now
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


@click.command()
@click.option(
    "--output",
    type=FilePath(dir_okay=False, path_type=Path),
    default=None,
    help="The file. [default: status/index.html in the home, which the daemon then keeps up to date]",
)
@home_option
def status_page(output: Path | None, settings: Settings) -> None:
    """Write the status page: what is wrong for which readers, since when, until when; no internals, no personal data."""
    path = page_of(settings) if output is None else file_to_write(output)
    write_status_page(operations_engine(settings), path, utc_now())
    echo(path)
