"""What the README and CONTRIBUTING say of the code is compared with the code."""

import re
from fnmatch import fnmatch

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.plan import load_plan
from reliability_platform.lab.faults.targets import checks_named
from reliability_platform.masking import PLACES
from reliability_platform.settings import PROJECT_ROOT
from tests.conventions.test_layers import ORDER

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


PERSONAL_DATA = (PROJECT_ROOT / "docs" / "explanation" / "personal-data.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    [found] = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_counts_of_faults_are_those_of_the_catalogue() -> None:
    """A fault more, and the first paragraph that anybody reads is wrong."""
    shown = [CATALOGUE[one.fault] for one in load_plan("showcase").injections]
    faults = [one for one in shown if not one.is_control]
    assert len(shown) - len(faults) == 1, "the README says: and one control"
    assert f"{len(CATALOGUE) - len(shown)} more that break no rule" in README
    landing = sum(one.stage is Stage.LANDING for one in faults)
    assert f"{landing} on what lands and {len(faults) - landing} on the running platform" in README
    assert f"… {len(faults)} faults and 1 control in all" in README


def sample_of_the_demo() -> list[list[str]]:
    """Fault, source, landing day, what caught it and severity of each line that the README shows."""
    rows = _between(" fault ", "… ").splitlines()[1:]
    assert len(rows) > 8
    return [re.split(r"  +", row.strip())[:5] for row in rows]


def test_the_sample_of_the_demo_has_faults_that_there_are() -> None:
    """A sample is copied once; its names and severities change afterwards. The demo's own test has the rest."""
    planned = {one.fault: (one.source, f"2026-01-{one.day:02}") for one in load_plan("showcase").injections}
    for fault, source, landing_day, caught_by, severity in sample_of_the_demo():
        declared = CATALOGUE[fault]
        assert severity == (declared.expected_severity or "–"), fault
        assert (source, landing_day) == planned[fault], fault
        caught = caught_by.split(" +")[0]
        if declared.is_control:
            assert caught == "nothing to notice"
        else:
            named = checks_named(declared.signature, source, "*")
            assert caught in CHECKS and any(fnmatch(caught, one) for one in named), fault


def _between(start: str, end: str) -> str:
    [block] = [one for one in README.split("```") if f"\n{start}" in one]
    return block[block.index(f"\n{start}") + 1 : block.index(f"\n {end}")]


def test_the_readme_is_short() -> None:
    """It had grown to 50 KB."""
    assert len(README.encode()) <= 8 * 1024


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """The strict build of the site sees the pages, not the README."""
    links = [one.partition("#")[0] for one in re.findall(r"\]\((?!https?:)([^)]+)\)", README)]
    assert len(links) > 10
    assert [one for one in links if not (PROJECT_ROOT / one).exists()] == []


def test_the_map_names_every_package() -> None:
    """`pipeline/`, which spells the order of a run, was not on it."""
    tree = _section("Where things are")
    folder = PROJECT_ROOT / "reliability_platform"
    packages = {path.name for path in folder.iterdir() if (path / "__init__.py").exists()}
    assert {name for name in packages if f"\n  {name}/" not in tree} == set()
    named = {
        name for line in tree.splitlines() if line.startswith("  ") for name in re.findall(r"([\w.]+?)/? ", line[2:27])
    }
    assert {name for name in named if not (folder / name).exists()} == set()


def test_the_layers_of_contributing_are_those_that_the_test_holds() -> None:
    """The list lacked one."""
    [said] = re.findall(r"what stands before it\*\*: (.*?)\.\s", CONTRIBUTING, re.DOTALL)
    assert said.replace("→", " ").split() == ORDER


def test_the_places_of_raw_values_are_all_in_the_readme() -> None:
    """Its table said that it was `PLACES`, and left out the folders in which drills and restores work."""
    table = PERSONAL_DATA.partition("\n\nResults,")[0]
    for place in PLACES:
        if place.raw:
            begin = place.pattern.partition("*")[0]
            assert f"`{begin}" in table or (begin == "warehouse.duckdb" and "in the warehouse" in table), place


def test_each_release_in_the_changelog_has_its_day() -> None:
    """Whoever upgrades asks how old a version is; `git log` is not installed with it."""
    headings = re.findall(r"^## (.+)$", (PROJECT_ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(20\d\d-\d\d-\d\d\)", one) for one in headings[1:]), headings
