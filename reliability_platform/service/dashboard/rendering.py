"""Turns a view into a page of HTML: the templates, and how moments, days and names are written in them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING, duration, number, percent, plain, span
from reliability_platform.service.dashboard.evidence import said, share

SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load: its own style sheet and script, and nothing from anywhere else."""


def moment(at: datetime | None) -> Markup | str:
    """A moment in UTC, to the minute; the script of the page puts that of the viewer's zone before it."""
    if at is None:
        return NOTHING
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        utc.isoformat(timespec="seconds"), utc.strftime("%Y-%m-%d %H:%M")
    )


def words(name: object) -> str:
    """A name of ours as people read it: `null_spike` is a null spike."""
    return str(name).replace("_", " ")


def short(incident: str) -> str:
    """The beginning of an incident's id, which is enough wherever one is asked for."""
    return "-".join(incident.split("-")[:2])


def days(some: Sequence[date]) -> str:
    """From the first to the last."""
    return span(sorted(some))


def ticked(text: str) -> Markup:
    """A sentence of ours in which commands stand between backticks."""
    parts = plain(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 and place < len(parts) - 1 else part
        for place, part in enumerate(parts)
    )


def indented(line: str) -> Markup:
    """A line of a text that a program wrote, with the blanks at its beginning."""
    return Markup("{}{}").format(" " * (len(line) - len(line.lstrip(" "))), plain(line))


def yes_no(value: bool | None) -> str:
    """In words; a dash where nobody knows."""
    return NOTHING if value is None else "yes" if value else "no"


def _shown(value: Any) -> Any:
    """What stands in a page: nothing is a dash, and a text from the data has no control signs."""
    if value is None:
        return NOTHING
    return plain(value) if type(value) is str else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reliability_platform.service.dashboard", "templates"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (said, share, moment, words, short, days, ticked, indented, yes_no, percent, number, exact, duration)
    environment.filters.update({one.__name__: one for one in filters})
    environment.globals.update(counted=counted, NOTHING=NOTHING)
    return environment


def exact(value: str | None) -> str:
    """An exact number that is kept as text, with its thousands parted; a dash where there is none."""
    return NOTHING if value is None else f"{Decimal(value):,f}"


def rendered(template: str, **names: Any) -> str:
    """The page of a template."""
    return _environment().get_template(f"{template}.html.j2").render(**names)
