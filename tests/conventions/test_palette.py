"""All that is shown has its colours from one place."""

import re

from reliability_platform.palette import COLOURS
from tests.conventions.code import ROOT

DRAWN_WITH = re.compile(r"#0[12]0[0-9]")
"""What matplotlib draws with, so that it can be told from everything else and replaced."""
FILES = [
    one for one in ROOT.rglob("*") if one.suffix in (".py", ".css", ".j2", ".html", ".js") and one.name != "palette.py"
]
STYLES = ("service/dashboard/static/style.css", "lab/scorecard/report/style.css.j2", "incidents/documents/web.py")


def test_no_colour_is_written_anywhere_else() -> None:
    """Two style sheets and two pictures had their own, of which some had come apart."""
    colour = re.compile(r"[:\"' ]#(?:[0-9a-f]{6}|[0-9a-f]{3})\b(?=[;\"' ,)])")
    found = {
        f"{one.relative_to(ROOT)}: {hit.strip()}"
        for one in FILES
        for hit in colour.findall(one.read_text())
        if not DRAWN_WITH.match(hit.strip(" :\"'"))
    }
    assert found == set()


def test_every_colour_that_a_page_asks_for_is_there() -> None:
    """A variable that nobody sets is no colour at all."""
    for name in STYLES:
        asked = set(re.findall(r"var\(--([a-z0-9-]+)\)", (ROOT / name).read_text()))
        assert asked, name
        assert asked <= set(COLOURS), name
