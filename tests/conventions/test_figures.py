"""Figures that a reader takes for this version are of this version, and are those that were measured."""

import json
from importlib.metadata import version
from typing import Any

import pytest

from reliability_platform.lab.campaign.statistics import wilson
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.settings import PROJECT_ROOT
from tests.comparison.report import markdown

README = (PROJECT_ROOT / "README.md").read_text()
PAGE = (PROJECT_ROOT / "docs" / "explanation" / "measurements.md").read_text()


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """What was measured of this version."""
    path = PROJECT_ROOT / "docs" / "measurements" / f"campaign-{version('reliability-platform')}.json"
    assert path.exists(), f"measure this version before it is released, and keep what was measured in {path.name}"
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def _interval(hits: int, n: int) -> str:
    share = wilson(hits, n)
    assert share.low is not None
    assert share.high is not None
    return f"{share.low:.1%} to {share.high:.1%}".replace("%", " %")


def test_the_costs_of_both_engines_are_those_that_were_measured() -> None:
    """A row for each size on the page."""
    path = PROJECT_ROOT / "docs" / "measurements" / f"engines-{version('reliability-platform')}.json"
    page = (PROJECT_ROOT / "docs" / "how-to" / "spark.md").read_text()
    for size in json.loads(path.read_text())["sizes"]:
        costs = [f"{size[one]['ten_days']:.1f} | {size[one]['rows_per_second']:,}" for one in ("duckdb", "spark")]
        days = [f"{size[one]['day_12']:.1f}" for one in ("duckdb", "spark")]
        assert f"| {size['rows']:,} | {' | '.join([*costs, *days])} |" in page


def test_the_figures_of_the_readme_are_those_that_were_measured_of_this_version(kept: dict[str, Any]) -> None:
    """It showed 350 of 350 of the version before, while this one had 349."""
    assert kept["version"] == version("reliability-platform")
    assert f"Version {kept['version']}, seed {kept['first_seed']}" in PAGE
    rows = [f"| {name} | {hits} of {n} | {_interval(hits, n)} |" for name, (hits, n) in kept["shares"].items()]
    rows += [
        f"| quarantined rows that are bad ones; bad rows that are quarantined | {kept['quarantine_precision']:.0%}; "
        f"{kept['quarantine_recall']:.0%} | |".replace("%", " %"),
        f"| incidents for each fault | {kept['incidents_per_fault']:.3f} | |",
    ]
    [table] = [part for part in PAGE.split("\n\n") if part.startswith("| standard grid | measured |")]
    assert table.splitlines()[2:] == rows


def test_the_readme_says_what_others_found(kept: dict[str, Any]) -> None:
    """A grid of one's own faults says little about those of others."""
    others = kept["by_others"]
    share = wilson(others["detected"], others["corruptions"])
    assert share.share is not None and share.low is not None and share.high is not None
    words = f"{share.share:.0%}, {share.low:.0%} to {share.high:.0%}".replace("%", " %")
    assert f"Of {others['corruptions']} corruptions" in PAGE
    assert f"the same version detected {others['detected']} ({words})" in PAGE
    assert f'{others["recoveries_verified_falsely"]} of its "Recovery verified" were false' in PAGE
    assert "detect {} of {} faults".format(*kept["shares"]["faults detected"]) in README
    assert (
        f"Of {others['corruptions']} corruptions made by others, the same version detected {others['detected']}"
        in README
    )


def test_the_comparison_with_others_is_what_was_measured() -> None:
    """Whoever measures anew shows it; nobody writes a better figure by hand."""
    measured = json.loads(
        (PROJECT_ROOT / "docs" / "measurements" / f"comparison-{version('reliability-platform')}.json").read_text()
    )
    page = (PROJECT_ROOT / "docs" / "explanation" / "comparison.md").read_text()
    assert measured["command"] in page
    assert page.endswith(f"## Figures\n\n{markdown(measured)}\n")


def test_what_is_said_of_alerts_is_what_was_measured() -> None:
    """Seconds to the first message, and how many of them a person gets."""
    name = f"alerts-{version('reliability-platform')}.json"
    kept = json.loads((PROJECT_ROOT / "docs" / "measurements" / name).read_text())
    seconds = [one["seconds"] for one in kept["first_message"]]
    demo, each = kept["demo"], kept["demo"]["per_incident_and_person"]
    owners = max(count for who, count in demo["messages"].items() if who.startswith("owner"))
    said = " ".join(PAGE.split())
    assert kept["over_the_limit"] == [] and name in said and f"a load of {kept['load']}:" in said
    assert f"{min(seconds)} to {max(seconds)} s ({len(seconds)} bad deliveries; the aim is 20)" in said
    assert f"Of the {demo['incidents']} incidents of the demo" in said
    assert f"in {each['median']} messages (median; {each['most']} at the most)" in said
    assert f"on call got {demo['messages']['oncall']} messages, an owner {owners} at the most" in said
    assert f"at once everybody got {max(kept['storm']['messages'].values())} messages at the most" in said


def test_what_others_tell_of_beside_it_is_what_was_measured() -> None:
    """By whether a fault breaks a declared rule; what changes nothing that may be told of is none."""
    folder = PROJECT_ROOT / "docs"
    kept = json.loads((folder / "measurements" / f"beside-{version('reliability-platform')}.json").read_text())
    faults = [one for one in kept["faults"] if not CATALOGUE[one["fault"]].is_control]
    page = (folder / "explanation" / "speed.md").read_text()
    for breaks, words in (
        (True, "told, of {} faults that break a declared rule"),
        (False, "told, of {} that break none"),
    ):
        of = [one for one in faults if one["breaks_a_rule"] is breaks]
        assert words.format(len(of)) in page
        assert " | ".join(str(sum(bool(one["told"][name]) for one in of)) for name in kept["costs"]) in page
    assert " | ".join(map(str, (kept["clean_days_told"][name] for name in kept["costs"]))) in page
