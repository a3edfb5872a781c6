"""Documents from hostile data: nothing in it may become markup, a link, a template, or code."""

import re
from base64 import b64decode
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from reliability_platform.formats import plain
from reliability_platform.incidents.documents.blocks import (
    Block,
    Bullets,
    Commands,
    Grid,
    Heading,
    Hints,
    Paragraph,
    Picture,
    ValuesByDay,
)
from reliability_platform.incidents.documents.render import escape, markdown, text
from reliability_platform.incidents.documents.web import page

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "see https://evil.example/login now",
    "see www.evil.example now",
    "a | b | c",
    "``` \n rm -rf ~ \n ```",
    "`rm -rf ~`",
    "{{ config() }} {% raw %} ${HOME} {# x #}",
    "# heading",
    "- item",
    "1. item",
    "1) item",
    "> quote",
    "=== \n ---",
    "line\nbreak\r\nand\u2028separator",
    "nul \x00 bell \x07 escape \x1b[31m red",
    "\u202egnp.exe\u202c zero\u200bwidth \ufeff",
    "**bold** __bold__ _it_ ~~gone~~ $x^2$",
    "&lt;already&gt; &amp; &#60;",
    "\\| \\` trailing backslash \\",
    "\ud800 lone surrogate",
    "<!-- comment -->",
    "    indented code",
    "",
]


def document(value: str) -> list[Block]:
    return [
        Heading(1, value),
        Paragraph(value),
        Bullets([value, value]),
        Grid(["when", value], [["now", value], [value, "then"]]),
        Commands(["reliability verify"]),
    ]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        del data
        self.found.append("comment")


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_text_stays_text_in_every_block(value: str) -> None:
    """Incident pages are shown in the Dagster UI, pasted into tickets and sent by mail."""
    rendered = markdown(document(value))
    tags = _Tags()
    tags.feed(rendered)
    assert tags.found == []
    assert all(letter.isprintable() or letter == "\n" for letter in rendered)
    assert "{{" not in rendered
    assert "{%" not in rendered
    assert "{#" not in rendered
    assert "://" not in rendered
    assert "www." not in rendered
    assert not re.search(r"(?<!\\)\]\(", rendered)
    assert not re.search(r"(?<!\\)[*~$]", rendered)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_document_keeps_its_shape_whatever_is_in_it(value: str) -> None:
    """A line break or a pipe in a sample must not tear a table, and a fence must not swallow the rest."""
    lines = markdown(document(value)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {3}
    assert sum(line.startswith("# ") for line in lines) == 1
    assert sum(line.startswith("- ") for line in lines) == 2
    assert [line for line in lines if line.startswith("```")] == ["```shell", "```"]
    assert len(lines) == len(markdown(document("x")).splitlines())


@pytest.mark.parametrize("value", HOSTILE)
def test_plain_text_keeps_its_shape_and_moves_no_cursor(value: str) -> None:
    """A terminal obeys control signs; a mail client obeys line breaks."""
    rendered = text(document(value))
    assert all(letter.isprintable() or letter == "\n" for letter in rendered)
    table = [line for line in rendered.splitlines() if line.startswith(("when", "now"))]
    assert len(table) == 2


def test_what_is_escaped_reads_as_it_was() -> None:
    """Names of checks and batches are full of underscores and hyphens; escaping must leave them readable."""
    for harmless in (
        "stg_web_events__valid_payload",
        "orders-20260105-02-a2",
        "8.25 % of 1,000 rows",
        "a.b@example.com",
    ):
        assert escape(harmless) == harmless


def test_a_greater_than_sign_at_the_start_is_shown_once() -> None:
    """A backslash before an entity would show the entity's name."""
    assert escape("> 5") == "&gt; 5"
    assert escape("<= 0") == "&lt;= 0"


def test_no_line_of_commands_can_end_its_fence() -> None:
    """A home folder may have any name."""
    rendered = markdown([Commands(["export RELIABILITY_HOME='/tmp/```\n# gone'"])])
    assert rendered == "````shell\nexport RELIABILITY_HOME='/tmp/``` # gone'\n````\n"


def test_hints_are_ours_and_keep_their_code() -> None:
    """Only the platform's own sentences may carry Markdown."""
    assert markdown([Hints(["run `reliability heal`"])]) == "- run `reliability heal`\n"


def test_plain_text_is_for_reading() -> None:
    """Headings underlined, lists hanging, tables aligned, commands indented."""
    rendered = text(
        [
            Heading(1, "P1 · missing"),
            Bullets(["word " * 30]),
            Grid(["a", "long"], [["x", "1"], ["yy", "2"]]),
            Commands(["reliability verify"]),
        ]
    )
    words = "word " * 18 + "word\n  " + ("word " * 11).strip()
    assert rendered == (
        f"P1 · missing\n============\n\n- {words}\n\na   long\n--  ----\nx   1\nyy  2\n\n    reliability verify\n"
    )


class _Page(HTMLParser):
    """The elements of a page with their attributes, and all text outside of styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text: list[str] = []
        self.alt: list[str | None] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.alt += [value for name, value in attrs if name == "alt"]
        self.elements.append((tag, tuple((name, value) for name, value in attrs if name != "alt")))

    def handle_data(self, data: str) -> None:
        if self._inside != "style":
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        del data
        self.elements.append(("comment", ()))

    def unknown_decl(self, data: str) -> None:
        del data
        self.elements.append(("declaration", ()))


def page_of(value: str) -> _Page:
    found = _Page()
    found.feed(page([*document(value), Heading(2, value), Heading(2, value), Picture("<svg/>", value)]))
    found.close()
    return found


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_text_becomes_no_element_no_attribute_and_no_address_of_a_page(value: str) -> None:
    """The page has the elements of a harmless one, whatever stands in it; and the text can be read."""
    found, harmless = page_of(value), page_of("x")
    assert found.elements == harmless.elements
    assert plain(value) in " ".join(found.text)
    assert found.alt == [plain(value)]
    for _, attributes in found.elements:
        for name, address in attributes:
            assert not name.startswith("on")
            if name in ("href", "src"):
                assert str(address).startswith(("#s", "data:image/svg+xml;base64,"))


def test_any_text_at_all_leaves_the_page_its_shape() -> None:
    """What nobody thought of."""
    shape = page_of("x").elements

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(strategies.text())
    def keeps_it(value: str) -> None:
        assert page_of(value).elements == shape

    keeps_it()


def test_a_page_asks_nothing_of_the_network_and_runs_nothing() -> None:
    """It is read from a file, on a telephone, when the platform is down."""
    drawn = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    found = page(
        [Heading(1, "a"), Picture(drawn, "what it shows"), Hints(["run `reliability heal`, [x](https://e.example)"])]
    )
    assert "<script" not in found
    assert "https://" not in re.sub(r"\[x\]\(https://e.example\)", "", found)
    assert "default-src 'none'" in found
    assert "<code>reliability heal</code>" in found
    assert "width=device-width" in found
    assert "prefers-color-scheme: dark" in found
    assert "http://" not in found.replace("http-equiv", "")


def test_commands_keep_every_sign_in_a_page() -> None:
    """What is pasted must be what was meant: quotes, angles and line breaks of SQL."""
    found = _Page()
    found.feed(page([Commands(["select '<a>' -- \"x\" & y", "  , 2"], "sql")]))
    assert "select '<a>' -- \"x\" & y\n  , 2" in "".join(found.text)


def test_a_picture_says_in_words_what_it_shows() -> None:
    """Markdown and plain text have no picture, and not everybody sees."""
    assert markdown([Picture("<svg/>", "a|b")]) == "*Picture, on the HTML page: a\\|b*\n"
    assert text([Picture("<svg/>", "a\x1b[31m")]) == "[Picture, on the HTML page: a [31m]\n"


def test_a_number_by_day_is_a_picture_on_a_page_and_a_table_elsewhere() -> None:
    """Whoever reads the runbook in a terminal sees the numbers; a name from the data is nothing but text in both."""
    days = [date(2026, 1, number) for number in range(1, 21)]
    block = ValuesByDay(HOSTILE[0], tuple(days), tuple([0.5] * 19 + [2.25]), 0.5, None, 1.0, 1)
    for rendered in (markdown([block]), text([block])):
        assert "2026-01-20" in rendered and "2.25" in rendered and "2026-01-12" not in rendered
    shown = page([Heading(1, "x"), block])
    assert HOSTILE[0] not in shown and "2.25 on 2026-01-20, usual 0.5, limits upper 1; 19 days before it" in shown
    svg = b64decode(re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", shown)[0]).decode()
    root = ElementTree.fromstring(svg)  # noqa: S314 (our own)
    assert root.tag.endswith("svg") and HOSTILE[0] not in svg and "2026-01-20" in svg
    last = next(one for one in root.iter("{http://www.w3.org/2000/svg}text") if one.text == "2026-01-20")
    assert "text-anchor: end" in last.attrib["style"], "the date of the last day was cut off at the edge"
    assert page([Heading(1, "x"), block]) == shown
