"""The report page: what it says, that it needs nothing but itself, and that no text of the data can become markup."""

import copy
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.clock import utc_now
from reliability_platform.incidents.detection import observe
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.scorecard.report.graded import run_document
from reliability_platform.lab.scorecard.report.matrix import any_source
from reliability_platform.lab.scorecard.report.month import month_of
from reliability_platform.lab.scorecard.report.outcome import outcome
from reliability_platform.lab.scorecard.report.render import render_report, write_report
from reliability_platform.lab.scorecard.report.svg import VARIABLES
from reliability_platform.lab.scorecard.report.text import duration, percent, plain
from reliability_platform.lab.scorecard.score import Conservation, FaultScore, Scorecard
from reliability_platform.warehouse.comparison import TableComparison
from tests.ground import Platform, day

SECTIONS = ["outcome", "matrix", "curves", "healing", "month", "volumes", "incidents", "honesty"]
VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = "<script>alert(1)</script><b onload=x>\"'&amp;--></svg>]]>${x}$ {{ 7*7 }} {% raw %}\x00\u202e"


class Page(HTMLParser):
    """A page as a flat list of elements, each with its parents; fails on a tag that is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), list(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), list(self.open)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.elements if name == tag]

    def text(self) -> str:
        return " ".join(" ".join(data for tag, data in self.texts if tag != "style").split())


def section(html: str, name: str) -> str:
    """The source of one section."""
    found = re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)
    assert found is not None
    return found.group()


def rows_of(html: str, caption: str) -> list[list[str]]:
    """The body of the table with this caption."""
    table = re.search(rf"<caption>{re.escape(caption)}.*?</table>", html, re.DOTALL)
    assert table is not None, caption
    body = table.group().split("<tbody>")[1]
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    ]


def a_demo() -> dict[str, Any]:
    fault = {
        "fault": "null_spike",
        "source": "orders",
        "partition": "2026-01-02",
        "magnitude": "medium",
        "expected_severity": "P2",
        "severity": "P2",
        "detected": True,
        "detected_by": ["stg_orders__missing_customer_id"],
        "incident": "INC-0001-null_spike-orders-2026-01-02",
        "contained": True,
        "healed": True,
    }
    silent = {**fault, "fault": "out_of_order_events", "expected_severity": None, "severity": None, "detected": False}
    return {
        "seed": 7,
        "window": {"from": date(2026, 1, 1), "to": date(2026, 1, 10)},
        "events": 12_345,
        "faults": [fault, {**fault, "fault": "volume_drop", "source": "payments"}, silent],
        "incidents": {"opened": 2, "resolved": 2, "without_a_fault": 0},
        "conservation": {"delivered": 12_345, "unaccounted": 0},
        "oracle": {"equal": True, "tables": {"agg_daily_orders": {"rows": 10, "equal": True}}},
        "proved": True,
        "failures": [],
    }


def _interval(share: float, low: float, high: float, n: int) -> dict[str, Any]:
    return {"share": share, "low": low, "high": high, "n": n}


def a_campaign() -> dict[str, Any]:
    perfect = _interval(1.0, 0.9, 1.0, 40)
    none = _interval(0.0, 0.0, 0.1, 30)
    scenario = {
        "id": "volume_drop/payments/small",
        "fault": "volume_drop",
        "family": "volume",
        "source": "payments",
        "magnitude": "small",
        "window": "day",
        "first_day": "2026-01-04",
        "last_day": "2026-01-04",
        "seed": 101,
        "detected": True,
        "contained": True,
        "healed": True,
    }
    return {
        "grid": "standard",
        "seeds": [101, 102],
        "seconds": 300.0,
        "scenarios": [scenario, {**scenario, "source": "orders"}],
        "controls": [
            {
                "id": "clean_day/orders/1",
                "control": "clean_day",
                "source": "orders",
                "first_day": "2026-01-05",
                "last_day": "2026-01-05",
                "seed": 101,
                "false_alarms": 0,
                "checks": [],
            }
        ],
        "summary": {
            "scenarios": 40,
            "controls": 30,
            "detected_share": 1.0,
            "contained_share": 1.0,
            "healed_share": 1.0,
            "quarantine_precision": 1.0,
            "quarantine_recall": 0.5,
            "false_alarms": 0,
            "incidents_per_fault": 1.25,
            "healing": {
                "scenarios": 40,
                "healed": 40,
                "healable": 40,
                "n": 40,
                "median_seconds": 3.5,
                "p95_seconds": 61.0,
                "p95_is_longest": False,
                "incidents": 50,
                "remediations": 60,
                "remediations_per_incident": 1.2,
                "means": "From detection to right.",
                "by_family": [
                    {
                        "family": "volume",
                        "scenarios": 16,
                        "healed": 16,
                        "n": 16,
                        "median_seconds": 3.0,
                        "p95_seconds": 9.0,
                        "p95_is_longest": True,
                        "remediations_per_incident": 1.0,
                    }
                ],
            },
            "surviving_faults": [],
            "intervals": {
                **dict.fromkeys(("detected", "root_cause", "severity", "contained", "healed"), perfect),
                **dict.fromkeys(("false_alarm_per_control", "false_alarm_per_clean_partition_day"), none),
            },
            "by_family_and_magnitude": [
                {
                    "family": "volume",
                    "magnitude": "small",
                    "n": 8,
                    "detected": 6,
                    "share": 0.75,
                    "low": 0.41,
                    "high": 0.93,
                },
                {
                    "family": "volume",
                    "magnitude": "large",
                    "n": 8,
                    "detected": 8,
                    "share": 1.0,
                    "low": 0.68,
                    "high": 1.0,
                },
                {
                    "family": "value",
                    "magnitude": "medium",
                    "n": 4,
                    "detected": 4,
                    "share": 1.0,
                    "low": 0.51,
                    "high": 1.0,
                },
            ],
            "smallest_seen": [{"fault": "volume_drop", "source": "payments", "magnitude": "medium"}],
            "baselines": [{"name": "always alarm", "detected_share": 1.0, "false_alarm_share": 1.0}],
        },
        "kills": {"seed": 101, "n": 2, "survived": 2, "work": "four landing days", "kills": []},
        "drills": {
            "home": "three landing days",
            "drills": [
                {
                    "drill": "home-loss",
                    "rows_lost": 0,
                    "objective_rows": 0,
                    "recovery_seconds": 8.0,
                    "objective_seconds": 900,
                    "equal_to_before": True,
                    "oracle_equal": True,
                    "met": True,
                }
            ],
        },
        "mutation": {
            "matrix": [
                {"check": "stg_payments__row_count", "fault": "volume_drop", "kills": 3, "scenarios": 12},
                {"check": "stg_orders__row_count", "fault": "volume_drop", "kills": 6, "scenarios": 12},
                {"check": "bronze_orders__file_integrity", "fault": "truncated_file", "kills": 4, "scenarios": 4},
                {"check": "int_orders__silent_one", "fault": "truncated_file", "kills": 0, "scenarios": 4},
            ],
            "redundant_checks": [{"check": "stg_payments__row_count", "covered_by": "stg_orders__row_count"}],
            "surviving_faults": [],
            "never_fired": ["stg_orders__valid_currency"],
        },
    }


def a_month() -> dict[str, Any]:
    days = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(10)]
    return {
        "first_day": days[0],
        "last_day": days[-1],
        "volumes": [
            {"source": source, "day": one, "rows": 1000 + 7 * place}
            for source in ("orders", "payments")
            for place, one in enumerate(days)
        ],
        "held": [{"source": "orders", "day": "2026-01-02", "from": "2026-01-02T07:30:00+00:00"}],
        "injections": [
            {
                "fault": "null_spike",
                "source": "orders",
                "first_day": days[1],
                "last_day": days[1],
                "magnitude": "medium",
            },
            {
                "fault": "volume_drop",
                "source": "payments",
                "first_day": days[3],
                "last_day": days[5],
                "magnitude": "large",
            },
            {
                "fault": "out_of_order_events",
                "source": "orders",
                "first_day": days[8],
                "last_day": days[8],
                "magnitude": "medium",
            },
        ],
        "incidents": [
            {
                "id": "INC-0001-null_spike-orders-2026-01-02",
                "source": "orders",
                "failure_class": "null_spike",
                "severity": "P2",
                "state": "resolved",
                "title": "A required field is suddenly null: customer_id",
                "first_day": "2026-01-02",
                "last_day": "2026-01-02",
                "detected_at": "2026-02-01T10:00:00+00:00",
                "recovered_at": "2026-02-01T10:01:05+00:00",
            },
            {
                "id": "INC-0002-volume_anomaly-payments-2026-01-04",
                "source": "payments",
                "failure_class": "volume_anomaly",
                "severity": "P1",
                "state": "contained",
                "title": "An unusual number of rows",
                "first_day": "2026-01-04",
                "last_day": "2026-01-06",
                "detected_at": "2026-02-01T10:00:00+00:00",
                "recovered_at": None,
            },
        ],
    }


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(a_demo(), a_campaign(), a_month())


def test_the_page_is_well_formed_and_its_ids_are_its_own(html: str) -> None:
    """Charts are drawn apart from each other; their ids must not meet on the one page."""
    page = Page(html)
    ids = [value for _, attributes, _ in page.elements if (value := attributes.get("id"))]
    assert [one for one, times in Counter(ids).items() if times > 1] == []
    wanted = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html))
    for _, attributes, _ in page.elements:
        wanted |= set((attributes.get("aria-labelledby") or "").split())
    assert wanted and wanted <= set(ids)


def test_the_page_needs_nothing_but_itself(html: str) -> None:
    """It is sent by mail and opened years later, without a network."""
    outside = set(re.findall(r"(?:https?:)?//[\w.-]+[^\s\"'<)]*", html))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & {tag for tag, _, _ in page.elements}
    assert "@import" not in html and "@font-face" not in html
    assert all("src" not in attributes for _, attributes, _ in page.elements)
    assert set(re.findall(r"url\((.)", html)) == {"#"}


def test_colours_follow_dark_and_light(html: str) -> None:
    """A chart with a colour of its own would vanish on one of both papers."""
    css = html[html.index("<style>") : html.index("</style>")]
    defined = set(re.findall(r"--([\w-]+):", css))
    used = set(re.findall(r"var\(--([\w-]+)\)", html))
    assert used <= defined and set(VARIABLES.values()) <= defined
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    assert set(re.findall(r"--([\w-]+):", light)) == set(re.findall(r"--([\w-]+):", dark.split("} }")[0]))
    drawn = re.findall(r"<svg role.*?</svg>", html, re.DOTALL)
    for svg in drawn:
        colours = set(re.findall(r"(?:fill|stroke)(?:: |=\")(#[0-9a-f]{3,6}|[a-z]+)", svg)) - {"none", "var", "url"}
        assert not colours, colours


def test_sections_come_in_their_order_with_headings_in_theirs(html: str) -> None:
    """A screen reader walks by landmarks and headings; a level that is left out is a missing stair."""
    page = Page(html)
    assert [one["id"] for one in page.named("section")] == SECTIONS
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.named(landmark)) == 1
    assert page.named("html") == [{"lang": "en"}]
    assert {one["href"] for one in page.named("a") if (one["href"] or "").startswith("#")} == {
        f"#{name}" for name in SECTIONS
    }


def test_every_chart_has_a_name_a_description_and_the_same_figures_as_a_table(html: str) -> None:
    """Who cannot see the image must lose nothing."""
    figures = re.findall(r"<figure>.*?</figure>", html, re.DOTALL)
    assert len(figures) == 5  # matrix, curves, timeline, volumes of two sources
    assert html.count('role="img"') == len(figures)
    for figure in figures:
        svg = re.search(r'<svg role="img" aria-labelledby="(\S+) (\S+)".*?</svg>', figure, re.DOTALL)
        assert svg is not None
        title = re.search(rf'<title id="{svg.group(1)}">(.+?)</title>', svg.group())
        description = re.search(rf'<desc id="{svg.group(2)}">(.+?)</desc>', svg.group(), re.DOTALL)
        assert title is not None and description is not None and len(description.group(1)) > 40
        details = re.search(r"<details>.*?</details>", figure, re.DOTALL)
        assert details is not None and "<caption>" in details.group()
        assert '<th scope="col">' in details.group() and '<th scope="row">' in details.group()
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        assert table.count("<caption>") == 1 and "<th>" not in table and 'scope="col"' in table


def test_wide_things_scroll_inside_their_own_frame(html: str) -> None:
    """A page that scrolls sideways cannot be read on a phone."""
    for tag, attributes, _ in Page(html).elements:
        if tag == "div" and "wide" in (attributes.get("class") or "").split():
            assert attributes["tabindex"] == "0" and attributes["role"] == "region" and attributes["aria-label"]
    bare = re.sub(r'<div class="wide.*?</div>', "", html, flags=re.DOTALL)
    assert "<table" not in bare and '<svg role="img"' not in bare


def test_the_matrix_has_only_checks_that_fired_and_adds_up_their_sources(html: str) -> None:
    """The chart joins sources; the table must not."""
    part = section(html, "matrix")
    assert rows_of(part, "Checks against faults, each check by itself") == [
        ["bronze_orders__file_integrity", "truncated file", "4 of 4"],
        ["stg_orders__row_count", "volume drop", "6 of 12"],
        ["stg_payments__row_count", "volume drop", "3 of 12"],
    ]
    assert "silent" not in part
    labels = re.findall(r"<text[^>]*>([^<]+)</text>", part)
    assert "row count · stg *" in labels and "file integrity · bronze orders" in labels
    assert "75" in labels and "100" in labels  # 6 + 3 of 12


@pytest.mark.parametrize(
    ("check", "row"),
    [
        ("stg_orders__row_count", "stg_*__row_count"),
        ("hld_too_late__no_orders", "hld_too_late__no_*"),
        ("rec_orders__vs__payments", "rec_*__vs__payments"),
        ("fct_borders__unique", "fct_borders__unique"),
        ("loner", "loner"),
    ],
)
def test_only_a_whole_source_is_folded(check: str, row: str) -> None:
    """`borders` is no `orders`."""
    assert any_source(check, ["orders", "payments"]) == row


def test_curves_show_each_share_with_its_interval(html: str) -> None:
    """A share without its interval claims more than was seen."""
    assert rows_of(html, "Detection by family and size") == [
        ["volume", "small", "8", "6", "75.0\u00a0%", "41.0\u00a0%", "93.0\u00a0%"],
        ["volume", "large", "8", "8", "100\u00a0%", "68.0\u00a0%", "100\u00a0%"],
        ["value", "medium", "4", "4", "100\u00a0%", "51.0\u00a0%", "100\u00a0%"],
    ]
    assert "The lowest is 75.0\u00a0%." in html
    assert rows_of(html, "The smallest size that is always seen") == [["volume drop", "payments", "medium"]]


def test_limits_of_a_sweep_are_drawn_where_there_are_any() -> None:
    """They are optional: a short campaign sweeps nothing."""
    campaign = a_campaign()
    campaign["summary"]["limits"] = [
        {"fault": "volume_drop", "size": 0.7, "n": 4, "detected": 3},
        {"fault": "never_heard_of", "size": 2, "n": 4, "detected": 0},
    ]
    part = section(render_report(None, campaign, None), "curves")
    rows = rows_of(part, "Where detection begins")
    assert rows[0][:2] == ["volume drop", "0.7"] and rows[0][3:] == ["4", "3"] and rows[0][2]
    assert rows[1] == ["never heard of", "2", "", "4", "0"]


def test_healing_is_told_by_family_with_drills_and_kills(html: str) -> None:
    """Median and 95 %, RPO and RTO; a kill that was not survived stands above the figures, in red."""
    part = section(html, "healing")
    assert rows_of(part, "Healing by fault family") == [
        ["volume", "16 faults", "100\u00a0%", "3.0\u00a0s", "9.0\u00a0s (the longest)", "1.00"],
        ["all", "40 faults", "100\u00a0%", "3.5\u00a0s", "61.0\u00a0s", "1.20"],
    ]
    assert rows_of(part, "Drills on three landing days")[0][1:3] == [
        "0 (at most 0)", "8.0\u00a0s (at most 900.0\u00a0s)",
    ]  # fmt: skip
    assert "Kills survived: 2 of 2, seed 101" in part and 'class="loud"' not in part
    campaign = a_campaign()
    campaign["kills"] |= {"survived": 1, "kills": [{"at_seconds": 1.0, "work_seconds": 9.0, "wrong": ["rows lost"]}]}
    assert "rows lost" in section(render_report(None, campaign, None), "healing")
    killed = {one.name: one for one in outcome(None, campaign).campaign}["kills survived"]
    assert (killed.value, killed.note, killed.good) == ("1", "of 2", False)


def test_the_timeline_tells_faults_controls_and_incidents_apart(html: str) -> None:
    """A control without an incident is right; a fault without one is a miss."""
    rows = rows_of(section(html, "month"), "Faults, incidents and healing")
    assert rows[0] == ["1", "fault", "null spike", "orders", "2026-01-02", "medium"]
    assert rows[2][:3] == ["3", "control", "out of order events"]
    assert rows[3][:3] == ["INC-0001", "incident", "A required field is suddenly null: customer_id"]
    assert rows[4][4:] == ["2026-01-04 to 2026-01-06", "contained"]
    assert "3 faults and 2 incidents on 2 sources" in html and "1 incident still open." in html
    assert re.findall(r"<li>([\w ]+) <span>", section(html, "month")) == [
        "null spike",
        "volume drop",
        "out of order events",
    ]


def test_an_injection_beside_the_month_is_not_drawn_but_stands_in_the_table() -> None:
    """Its bar would lie on a day on which it did not hit."""
    month = a_month()
    month["injections"][0] |= {"first_day": "2027-05-01", "last_day": "2027-05-02"}
    part = section(render_report(None, None, month), "month")
    assert rows_of(part, "Faults, incidents and healing")[0][4] == "2027-05-01 to 2027-05-02"
    drawn = re.findall(r"<text[^>]*>(\d)</text>", part)
    assert "1" not in drawn and {"2", "3"} <= set(drawn)


def test_held_days_are_marked(html: str) -> None:
    """Holding is what kept bad rows from consumers."""
    rows = rows_of(section(html, "volumes"), "Rows of orders")
    assert len(rows) == 10
    assert rows[0] == ["2026-01-01", "1,000", ""]
    assert rows[1] == ["2026-01-02", "1,007", "held since 2026-01-02 07:30"]
    assert "1 day of 10 held" in html and "0 days of 10 held" in html


def test_each_incident_leads_to_its_runbook() -> None:
    """By a path from the page, so that the folder can be moved as a whole."""
    part = section(render_report(None, None, a_month()), "incidents")
    assert 'href="incidents/INC-0001-null_spike-orders-2026-01-02.html">INC-0001<' in part
    assert "1 min" not in part and "65 s" in part and "not yet" in part
    assert re.search(r'class="open">contained<', part)
    beside = render_report(None, None, a_month(), runbooks="../incidents")
    assert 'href="../incidents/INC-0002-volume_anomaly-payments-2026-01-04.html"' in beside


def test_what_speaks_against_the_checks_is_shown(html: str) -> None:
    """Repetition, silence and rivals."""
    part = section(html, "honesty")
    assert rows_of(part, "Controls: changes that must not alarm") == [["clean day", "1", "0"]]
    assert rows_of(part, "Whoever beats none of these proves nothing") == [
        ["this platform", "100\u00a0%", "0\u00a0%"],
        ["always alarm", "100\u00a0%", "100\u00a0%"],
    ]
    assert "1 check caught nothing that another did not catch too" in part and "stg_orders__valid_currency" in part
    assert "No fault survived." in part and 'class="loud"' not in part


def survive(campaign: dict[str, Any]) -> None:
    campaign["summary"]["surviving_faults"] = ["volume_drop"]
    campaign["mutation"]["surviving_faults"] = [
        {"fault": "volume_drop", "source": "payments", "magnitude": "small", "scenarios": 4, "missed": 2}
    ]


def cry(campaign: dict[str, Any]) -> None:
    campaign["summary"]["false_alarms"] = 2
    campaign["controls"][0] |= {"false_alarms": 2, "checks": ["stg_orders__row_count"]}


def leak(campaign: dict[str, Any]) -> None:
    campaign["summary"]["intervals"]["contained"] = _interval(0.975, 0.87, 0.99, 40)
    campaign["scenarios"][0]["contained"] = False
    campaign["scenarios"].append({**campaign["scenarios"][0], "fault": "swept_one", "window": "limit"})


@pytest.mark.parametrize(
    ("spoil", "sentence", "loud"),
    [
        (survive, "1 kind of fault slipped through", "Survived:</strong> volume drop (small) on payments"),
        (cry, "2 false alarms were raised", "False alarm</strong> at the control clean day on orders, 2026-01-05"),
        (leak, "1 of 40 scenarios was not contained", "Not contained:</strong> volume drop (small) on payments"),
    ],
)
def test_a_failure_of_the_campaign_is_as_loud_as_a_success(
    spoil: Callable[[dict[str, Any]], None], sentence: str, loud: str
) -> None:
    """In the first sentence and in a place of its own; a page that only praises is worth nothing."""
    campaign = a_campaign()
    spoil(campaign)
    html = render_report(a_demo(), campaign, a_month())
    heading = re.search(r'<h2 id="outcome-heading">(.*?)</h2>', html, re.DOTALL)
    assert heading is not None and "Not proved" in heading.group() and sentence in heading.group()
    assert '<div class="outcome bad">' in html
    part = section(html, "honesty")
    assert part.count('class="loud"') == 1 and loud in part and "swept" not in part
    assert 'class="bad"' in section(html, "outcome")


def test_the_outcome_of_everything_that_went_well() -> None:
    """It counts only what something should have noticed."""
    found = outcome(a_demo(), a_campaign())
    assert found.proved is True
    assert found.sentence == (
        "Proved: all 2 faults of this run were noticed, contained and healed; so were the faults of 40 scenarios in "
        "the campaign, and 30 controls raised no false alarm."
    )
    values = {one.name: (one.value, one.note, one.good) for one in found.run}
    assert values["detected"] == ("100\u00a0%", "2 of 2 faults", True)
    assert values["rows delivered"] == ("12,345", "0 unaccounted for", True)
    assert all(one.good is not False for one in [*found.run, *found.campaign])
    campaign = {one.name: one for one in found.campaign}
    assert campaign["detected"].note == "40 of 40; 95\u00a0%: 90.0\u00a0% to 100\u00a0%"
    assert campaign["quarantine recall"].value == "50.0\u00a0%"


def test_the_outcome_of_a_run_that_failed() -> None:
    """Each finding by itself, and `proved` alone is believed against an empty list."""
    demo = a_demo() | {"proved": False, "failures": ["null_spike on orders was not healed"]}
    demo["faults"][0]["healed"] = False
    found = outcome(demo, None)
    assert (found.proved, found.sentence) == (False, "Not proved: 1 finding stands against the run.")
    assert found.against_run == ["null_spike on orders was not healed"]
    assert next(one for one in found.run if one.name == "healed").good is False
    assert "null_spike on orders was not healed" in section(render_report(demo, None, None), "outcome")
    assert outcome(a_demo() | {"proved": False}, a_campaign()).proved is False
    assert outcome(a_demo() | {"failures": ["something"]}, None).proved is False


NO_CAMPAIGN: list[Any] = [None, {}, {"summary": None, "mutation": {"matrix": None}}]
NO_MONTH: list[Any] = [None, {}, {"volumes": [], "held": None, "injections": [], "incidents": []}]


@pytest.mark.parametrize(
    ("demo", "campaign", "month"),
    [(demo, campaign, month) for demo in (None, {}, a_demo()) for campaign in NO_CAMPAIGN for month in NO_MONTH]
    + [(None, a_campaign(), None), (a_demo(), a_campaign(), {}), (None, None, a_month()), ({}, {}, a_month())],
)
def test_what_is_missing_is_said_and_never_breaks_the_page(demo: Any, campaign: Any, month: Any) -> None:
    """A home in which little was done has a report too, and none of it is called proved that was not graded."""
    html = render_report(demo, campaign, month)
    page = Page(html)
    shown = [name for name in SECTIONS if campaign or name not in ("matrix", "curves", "healing", "honesty")]
    assert [one["id"] for one in page.named("section")] == shown
    assert {one["href"] for one in page.named("a") if (one["href"] or "").startswith("#")} == {
        f"#{one}" for one in shown
    }
    assert html.count("No campaign has been run yet") == (not campaign)
    if not demo and not campaign:
        assert "Nothing has been graded yet." in html and "outcome good" not in html
    if not campaign or not campaign.get("scenarios"):
        assert ("outcome good" in html) == bool(demo and not campaign)
        for name in ("matrix", "curves", "honesty") if campaign else ():
            assert 'class="soft"' in section(html, name) and 'class="quiet"' not in section(html, name)
    if not month or not month["volumes"]:
        assert "Nothing has landed yet." in html and "No incident was opened." in html
    assert "None" not in page.text() and "nan" not in page.text().split()


def test_a_summary_that_is_missing_is_no_proof() -> None:
    """An empty campaign must not read as one in which nothing went wrong."""
    assert outcome(None, {"grid": "standard"}).proved is False
    found = outcome(a_demo(), {"grid": "standard", "summary": {}})
    assert found.proved is False and "nothing was tried" in found.sentence
    assert not [one for one in found.campaign if one.good]


def test_a_row_that_lacks_a_figure_is_shown_without_it() -> None:
    """An older campaign in the home knows less than today's report."""
    campaign = a_campaign()
    del campaign["summary"]["baselines"][0]["false_alarm_share"], campaign["summary"]["smallest_seen"][0]["source"]
    del (
        campaign["summary"]["by_family_and_magnitude"][0]["low"],
        campaign["mutation"]["redundant_checks"][0]["covered_by"],
    )
    del campaign["controls"][0]["first_day"]
    html = render_report({"proved": True, "faults": [{"expected_severity": "P1"}]}, campaign, None)
    assert rows_of(html, "Whoever beats")[1] == ["always alarm", "100\u00a0%", "–"]
    assert rows_of(html, "Detection by family and size")[0][-2:] == ["–", "93.0\u00a0%"]
    Page(html)


def test_survivors_of_whom_only_the_name_is_known_are_named() -> None:
    """They are no less lost."""
    campaign = a_campaign()
    campaign["summary"]["surviving_faults"] = ["unit_change"]
    html = render_report(None, campaign, None)
    assert "Survived:</strong> unit change." in html and "1 kind of fault slipped through" in html


def _poisoned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _poisoned(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_poisoned(one, key) for one in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) else value


def test_hostile_text_stays_text() -> None:
    """Names come from files that others deliver: none may become markup, template, formula or address."""
    demo, campaign, month = a_demo(), a_campaign(), a_month()
    demo["failures"] = ["bad"]
    survive(campaign)
    cry(campaign)
    leak(campaign)
    campaign["summary"]["false_alarms_elsewhere"] = ["stg_orders"]
    html = render_report(_poisoned(demo), _poisoned(campaign), _poisoned(month))
    page = Page(html)
    assert "script" not in {tag for tag, _, _ in page.elements} and "b" not in {tag for tag, _, _ in page.elements}
    assert not [name for _, attributes, _ in page.elements for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text() and "{{ 7*7 }}" in page.text() and " 49 " not in page.text()
    for link in page.named("a"):
        assert re.fullmatch(r"#[a-z]+|incidents/[\w.%~+-]+\.html", link["href"] or ""), link
    assert "\x00" not in html and "\u202e" not in html
    assert len(re.findall('role="img"', html)) >= 5


def test_a_name_without_end_does_not_stretch_a_chart() -> None:
    """Labels are cut; the table keeps the whole name."""
    campaign = a_campaign()
    campaign["mutation"]["matrix"][0]["check"] = "stg_" + 500 * "x"
    html = render_report(None, campaign, None)
    assert 500 * "x" in rows_of(html, "Checks against faults, each check by itself")[-1][0]
    assert not [text for text in re.findall(r"<text[^>]*>([^<]+)</text>", html) if len(text) > 60]


def test_the_same_data_make_the_same_bytes(html: str, tmp_path: Path) -> None:
    """A report in a repository changes only if what it reports does."""
    path = write_report(tmp_path / "deep" / "report.html", a_demo(), copy.deepcopy(a_campaign()), a_month())
    assert path.read_text() == html
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]


def test_importing_the_report_does_not_load_the_drawing_library() -> None:
    """It takes longer to load than most commands run."""
    code = "import sys, reliability_platform.lab.scorecard.report.render; print('matplotlib' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1, "100\u00a0%"),
        (0.99999, "over 99.9\u00a0%"),
        (0.9995, "over 99.9\u00a0%"),
        (0.00001, "under 0.1\u00a0%"),
        (0, "0\u00a0%"),
        (0.5, "50.0\u00a0%"),
        (None, "–"),
        ("all", "–"),
        (float("nan"), "–"),
    ],
)
def test_only_the_whole_reads_as_the_whole(share: object, words: str) -> None:
    """One miss among ten thousand is no hundred percent."""
    assert percent(share) == words


def test_durations_read_well_and_need_both_ends() -> None:
    """What has not ended has no duration."""
    start = "2026-01-01T00:00:00+00:00"
    assert duration(start, "2026-01-01T00:01:05+00:00") == "65 s"
    assert duration(start, "2026-01-01T00:30:00+00:00") == "30 min"
    assert duration(start, "2026-01-01T12:00:00+00:00") == "12.0 h"
    assert duration(start, None) is None and duration(start, "soon") is None
    assert duration(start, "2026-01-01T00:00:00") is None
    assert plain("a\x1b[31m\u2066b_c") == "a[31mb_c"


def test_a_scorecard_becomes_the_document_of_the_demo() -> None:
    """The report of a home and that of a demo are made from the same words."""
    fault = FaultScore(
        "null_spike", "orders", "2026-01-02", "medium", "P2", True, ["x"], "INC-1", "P2", False, True, 1.0, 2.0
    )
    card = Scorecard(
        [fault],
        {"opened": 1, "resolved": 1, "without_a_fault": 0},
        Conservation(10, 8, 1, 1, 0, 0),
        [TableComparison(name="agg_daily_orders", rows=3, expected_rows=3, equal=True, first_differences=[])],
    )
    document = run_document(card)
    assert set(document) <= {*a_demo(), "failures"}
    found = outcome(document, None)
    assert found.proved is False and found.against_run == ["null_spike on orders 2026-01-02 was not contained"]
    assert {one.name: one.good for one in found.run} | {"contained": False, "detected": True} == {
        one.name: one.good for one in found.run
    }
    told = outcome(run_document(replace(card, faults=[replace(fault, told=True)])), None)
    assert told.proved and "contained or told and healed" in told.sentence
    assert {one.name: one.good for one in told.run}["contained or told"]


@pytest.mark.exhaustive  # 6 s; the demo writes one of a real home
def test_the_month_of_a_real_home(platform: Callable[..., Platform]) -> None:
    """Volumes, held days, injections and incidents as the home has them."""
    home = platform(injections=[Injection("null_spike", "orders", day(2), "large")])
    home.run(day(1), day(3))
    observe(home.engine, home.checks.after(0, 100_000), utc_now())
    month = month_of(home.settings, home.engine)
    assert (month["first_day"], month["last_day"]) == (day(1), day(3))
    assert len(month["volumes"]) == 12 and all(row["rows"] > 0 for row in month["volumes"])
    assert month["injections"] == [
        {"fault": "null_spike", "source": "orders", "first_day": day(2), "last_day": day(2), "magnitude": "large"}
    ]
    assert [(one["source"], one["day"]) for one in month["held"]] == [("orders", day(2))]
    assert [(one["source"], one["failure_class"]) for one in month["incidents"]] == [("orders", "null_spike")]
    html = render_report(None, None, month)
    assert "held since 20" in html and month["incidents"][0]["id"] in html
    Page(html)
