"""What changed since the last good run: which builds are compared, what is suspected first, how it is told."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.incidents.changes import ChangedInput, WhatChanged, what_changed
from reliability_platform.incidents.changes.commits import Commit, last_commits
from reliability_platform.incidents.changes.concern import Concern, UpstreamLineage
from reliability_platform.incidents.changes.pair import BuildPair, pair_of
from reliability_platform.incidents.changes.what_changed import ComparedBuild, ranked
from reliability_platform.incidents.documents.blocks import Block
from reliability_platform.incidents.documents.changes import changes_in_short, changes_section, sentence
from reliability_platform.incidents.documents.render import markdown, text
from reliability_platform.incidents.documents.web import page
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.scorecard.live_fault import live_fault
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import builds
from reliability_platform.pipeline.run import Step, run_days
from reliability_platform.pipeline.ticks import notice
from reliability_platform.remediation.documents import render_overview
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.fingerprints.model import BuildFingerprint, BuildInput, InputKind, Part
from reliability_platform.warehouse.fingerprints.store import BuildFingerprints, BuildOrigin
from reliability_platform.warehouse.journal import BLOCKED, SUCCEEDED
from tests.ground import Platform, day

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
CHECK = "rec_silver__vs__gold__orders"
MODEL = "models/marts/agg_daily_revenue.sql"


class History:
    """Builds and results of a home, an hour apart."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.now, self.number = engine, NOON, 0

    def build(self, first: date, last: date | None = None, outcome: str = SUCCEEDED) -> int:
        self.now += timedelta(hours=1)
        values = {"first_day": first, "last_day": last or first, "process": 1, "outcome": outcome, "began_at": self.now}
        with self.engine.begin() as connection:
            key = connection.execute(insert(builds).values(**values)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def judge(self, landing_day: date, status: CheckStatus, *measures: str) -> None:
        self.now += timedelta(hours=1)
        spec, details = CHECKS[CHECK], {"facts": {"measures": list(measures)}}
        result = CheckResult(CHECK, spec.dataset, "orders", landing_day, status, 1.0, "0", "differs", "run", self.now)
        CheckStore(self.engine).record([replace(result, details=details)])

    def incident(self) -> Incident:
        """The one that the failures so far have opened."""
        from reliability_platform.incidents.detection import observe

        self.now += timedelta(hours=1)
        observe(self.engine, CheckStore(self.engine).after(0, 10_000), self.now)
        return IncidentStore(self.engine).all()[0]


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Of an empty home."""
    return History(operations_engine(load_settings(tmp_path / "home")))


def test_days_that_were_good_before_are_compared_with_their_own_last_good_build(history: History) -> None:
    """Builds of other days in between, and one that was refused, are none of them."""
    good = history.build(day(1))
    history.judge(day(1), CheckStatus.PASSED)
    history.build(day(2))
    history.build(day(1), outcome=BLOCKED)
    bad = history.build(day(1))
    history.judge(day(1), CheckStatus.FAILED)
    history.build(day(1))
    history.judge(day(1), CheckStatus.FAILED)
    assert pair_of(history.engine, history.incident()) == BuildPair(bad, good, same_days=True)


def test_days_that_were_never_built_before_are_compared_with_the_days_before(history: History) -> None:
    """Not with those whose check failed, too: they are no good ones."""
    good = history.build(day(1))
    history.judge(day(1), CheckStatus.PASSED)
    history.build(day(2))
    history.judge(day(2), CheckStatus.FAILED)
    bad = history.build(day(3))
    history.judge(day(3), CheckStatus.FAILED)
    found = pair_of(history.engine, history.incident())
    assert found == BuildPair(bad - 1, good, same_days=False), "the first bad build is that of the second day"


def test_a_check_that_fails_without_a_build_in_between_is_said_so(history: History) -> None:
    """Somebody deleted rows: no model did."""
    good = history.build(day(1))
    history.judge(day(1), CheckStatus.PASSED)
    history.judge(day(1), CheckStatus.FAILED)
    assert pair_of(history.engine, history.incident()) == BuildPair(None, good, same_days=True)


def test_a_build_of_another_day_that_writes_its_event_dates_may_be_the_bad_one(history: History) -> None:
    """Late rows carry what is wrong to the days before."""
    good = history.build(day(1))
    history.judge(day(1), CheckStatus.PASSED)
    bad = history.build(day(2))
    history.judge(day(1), CheckStatus.FAILED)
    assert pair_of(history.engine, history.incident()) == BuildPair(bad, good, same_days=True)


def test_of_days_that_nobody_had_judged_for_long_the_build_before_the_first_failure_is_the_bad_one(
    history: History,
) -> None:
    """One build broke three days; the two others were built before, and are judged by the publication."""
    for number in (1, 2, 3):
        history.build(day(number))
        history.judge(day(number), CheckStatus.PASSED)
    history.build(day(1), day(2))  # of these no result was recorded: they were no other
    good = history.build(day(2))
    history.judge(day(2), CheckStatus.PASSED)
    bad = history.build(day(2))
    for number in (2, 1, 3):
        history.judge(day(number), CheckStatus.FAILED)
    assert pair_of(history.engine, history.incident()) == BuildPair(bad, good, same_days=True)


def test_what_failed_first_without_a_build_in_between_no_build_has_broken(history: History) -> None:
    """A day that fails after it says nothing else, however long it had not been judged."""
    history.build(day(1))
    history.judge(day(1), CheckStatus.PASSED)
    good = history.build(day(2))
    history.judge(day(2), CheckStatus.PASSED)
    history.judge(day(2), CheckStatus.FAILED)
    history.judge(day(1), CheckStatus.FAILED)
    assert pair_of(history.engine, history.incident()) == BuildPair(None, good, same_days=True)


def test_the_first_build_of_a_home_has_none_to_be_compared_with(history: History) -> None:
    """There was no good run."""
    bad = history.build(day(1))
    history.judge(day(1), CheckStatus.FAILED)
    assert pair_of(history.engine, history.incident()) == BuildPair(bad, None, same_days=False)


def test_a_build_of_a_release_that_kept_no_fingerprint_is_told_of_as_such(history: History) -> None:
    """That nothing is known must not read as that nothing changed."""
    good = history.build(day(1))
    history.judge(day(1), CheckStatus.PASSED)
    bad = history.build(day(1))
    history.judge(day(1), CheckStatus.FAILED)
    store = BuildFingerprints(history.engine)
    fingerprint = BuildFingerprint((BuildInput(Part.SETTINGS, "first_day", InputKind.SETTING, "1", "2026-01-01"),))
    store.record(BuildOrigin(bad, fingerprint.digest, "erika", "command line", "r", None), fingerprint, utc_now())
    incident = history.incident()
    found = what_changed(load_settings(), history.engine, ensure_manifest(), incident)
    assert not found.is_known
    assert "kept no fingerprint" in sentence(found)
    store.record(BuildOrigin(good, fingerprint.digest, "erika", "api", "q", None), fingerprint, utc_now())
    found = what_changed(load_settings(), history.engine, ensure_manifest(), incident)
    assert (found.is_known, list(found.changes)) == (True, [])
    assert sentence(found).endswith("It is the data.")


def fingerprint(*changed: tuple[str, str, InputKind], value: str = "") -> BuildFingerprint:
    return BuildFingerprint(tuple(BuildInput(part, name, kind, value, value) for part, name, kind in changed))


EVERY = (
    (Part.INSTALLATION, "duckdb", InputKind.VERSION),
    (Part.SETTINGS, "allowed_lateness_days", InputKind.SETTING),
    (Part.DBT_PROJECT, "models/marts/agg_daily_funnel.sql", InputKind.MODEL),
    (Part.DBT_PROJECT, "models/staging/stg_web_events.sql", InputKind.MODEL),
    (Part.DBT_PROJECT, "models/marts/agg_daily_payments.sql", InputKind.MODEL),
    (Part.DBT_PROJECT, "macros/gold.sql", InputKind.MACRO),
    (Part.CONTRACTS, "payments.yml", InputKind.CONTRACT),
    (Part.CONTRACTS, "orders.yml", InputKind.CONTRACT),
    (Part.DBT_PROJECT, "models/intermediate/int_orders__deduplicated.sql", InputKind.MODEL),
    (Part.DBT_PROJECT, MODEL, InputKind.MODEL),
    (Part.REFERENCE, "customers", InputKind.REFERENCE),
)


def test_what_failed_is_made_with_comes_first_and_versions_come_last(history: History) -> None:
    """By lineage, then by kind, then from what failed upwards."""
    history.build(day(1))
    history.judge(day(1), CheckStatus.FAILED)
    lineage = UpstreamLineage.of(ensure_manifest(), history.incident())
    found = ranked(fingerprint(*EVERY, value="1"), fingerprint(*EVERY, value="2"), lineage)
    names = [one.input.name for one in found]
    assert names[:3] == [MODEL, "models/intermediate/int_orders__deduplicated.sql", "orders.yml"]
    place = {name: number for number, name in enumerate(names)}
    assert place["orders.yml"] < place["models/marts/agg_daily_payments.sql"], "its rows are none of orders"
    assert place["allowed_lateness_days"] < place["duckdb"]
    assert {one.input.name: one.nearness.concern for one in found}["duckdb"] is Concern.EVERYTHING
    assert len(found) == len(EVERY)
    assert ranked(fingerprint(*EVERY, value="1"), fingerprint(*EVERY, value="1"), lineage) == []


@pytest.mark.parametrize("table", ["agg_daily_revenue", "fct_customer_days"])
def test_of_the_tables_that_a_check_compares_those_that_differ_are_suspected_first(
    history: History, table: str
) -> None:
    """All were changed: two that are made of orders, and what compares them."""
    history.build(day(1))
    history.judge(day(1), CheckStatus.FAILED, f"{table}.orders")
    models = [f"models/marts/{name}.sql" for name in ("agg_daily_revenue", "fct_customer_days")]
    models.append("models/reconciliation/rec_silver__vs__gold.sql")
    inputs = [(Part.DBT_PROJECT, name, InputKind.MODEL) for name in models]
    lineage = UpstreamLineage.of(ensure_manifest(), history.incident())
    found = ranked(fingerprint(*inputs, value="1"), fingerprint(*inputs, value="2"), lineage)
    assert found[0].input.name == f"models/marts/{table}.sql"


def test_a_staging_check_does_not_suspect_what_lies_after_it(history: History) -> None:
    """A mart cannot spoil the table that it is made of."""
    history.build(day(1))
    history.judge(day(1), CheckStatus.FAILED)
    incident = replace(history.incident(), root_dataset="stg_orders", signals=[])
    lineage = UpstreamLineage.of(ensure_manifest(), incident)
    assert lineage.nearness(Part.DBT_PROJECT, MODEL, InputKind.MODEL).concern is Concern.ELSEWHERE
    assert lineage.nearness(Part.CONTRACTS, "orders.yml", InputKind.CONTRACT).concern is Concern.LINEAGE
    assert lineage.nearness(Part.CONTRACTS, "payments.yml", InputKind.CONTRACT).concern is Concern.ELSEWHERE
    assert lineage.nearness(Part.DBT_PROJECT, "macros/staging.sql", InputKind.MACRO).concern is Concern.LINEAGE


# Git


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Erika <b>M</b>", "-c", "user.email=erika@example.com")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, env=clean)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one file, committed with a hostile subject."""
    folder = tmp_path / "check [out]"
    folder.mkdir()
    (folder / "model.sql").write_text("select 1")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    subject = "<script>alert(1)</script> [x](http://evil) `rm` | erika@example.com\x1b[31m"
    git(folder, "commit", "-q", "-m", subject)
    return folder


def test_the_last_commit_of_a_file_is_named_and_an_edit_that_is_not_committed(checkout: Path) -> None:
    """Whoever is woken up asks that person, or sees that nobody has committed it."""
    path = checkout / "model.sql"
    commit = last_commits([path, checkout / "new.sql"])[path]
    assert commit.is_whole
    assert len(commit.hash) >= 7
    assert date.fromisoformat(commit.date)
    assert "erika@example.com" not in commit.subject
    assert "\x1b" not in commit.subject
    path.write_text("select 2")
    assert not last_commits([path])[path].is_whole


def test_git_runs_nothing_that_the_repository_names(checkout: Path, tmp_path: Path) -> None:
    """A checkout may be anybody's."""
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    program.chmod(0o700)
    names = (
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "gpg.program",
        "core.sshCommand",
        "diff.external",
        "core.editor",
    )
    for name in names:
        git(checkout, "config", name, str(program))
    git(checkout, "config", "log.showSignature", "true")
    git(checkout, "config", "alias.log", f"!{program}")
    (checkout / ".gitattributes").write_text("* filter=run diff=run\n")
    git(checkout, "config", "filter.run.clean", str(program))
    git(checkout, "config", "diff.run.textconv", str(program))
    ran.unlink(missing_ok=True)  # the commands of this test may have
    path = checkout / "model.sql"
    assert path in last_commits([path])
    assert not ran.exists()


def test_what_is_no_checkout_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is there one where git is not installed."""
    (tmp_path / "model.sql").write_text("select 1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert last_commits([tmp_path / "model.sql", tmp_path / "gone" / "model.sql"]) == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert last_commits([Path(__file__)]) == {}


# Words


BUILD = ComparedBuild(7, day(1), day(2), NOON, "erika", "command line", "run-1")
HOSTILE = "<img src=x onerror=alert(1)> [x](http://evil)"


def changed(count: int) -> WhatChanged:
    commit = Commit("abc1234", HOSTILE, "2026-01-31", HOSTILE, is_whole=False)
    one = ChangedInput(
        "model", "dbt_project/models/x.sql", "changed", Concern.LINEAGE, "", "", is_as_built=False, commit=commit
    )
    setting = ChangedInput("setting", "allowed_lateness_days", "changed", Concern.EVERYTHING, "3", "5")
    rest = [replace(setting, name=f"setting_{number}") for number in range(count - 1)]
    return WhatChanged(BUILD, BUILD, same_days=True, is_known=True, changes=[one, *rest])


@pytest.mark.parametrize("blocks", [changes_section(changed(2)), changes_in_short(changed(2))])
def test_what_git_says_is_no_markup_in_any_document(blocks: Sequence[Block]) -> None:
    """Subjects and names are somebody else's text."""
    assert "<img" not in page(blocks)
    assert "<img" not in markdown(blocks)
    assert "[x](" not in markdown(blocks)
    said = text(blocks)
    assert "dbt_project/models/x.sql" in said
    assert "from 3 to 5" in said
    assert "not committed" in said


def test_a_screen_shows_the_first_changes_and_counts_the_others() -> None:
    """The rest is in the runbook; of an upgrade of everything that shows twenty."""
    assert "22 more changes" in text(changes_in_short(changed(25)))
    assert "5 less suspicious changes" in text(changes_section(changed(25)))


# The whole


def test_a_build_with_another_setting_says_so_wherever_its_incident_is_shown(
    lived: Callable[[Path], Platform],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two real builds of one day; between them somebody has set another watermark."""
    made = lived(tmp_path / "home")
    monkeypatch.setenv("RELIABILITY_ALLOWED_LATENESS_DAYS", "4")
    monkeypatch.setenv("RELIABILITY_ON_BEHALF_OF", "Erika <b>")
    made.settings = load_settings(made.settings.home)
    made.build(day(2), day(2))
    made.checks.record(
        [replace(made.checks.history(CHECK, day(2))[0], status=CheckStatus.FAILED, evaluated_at=utc_now())]
    )
    notice(made.settings, made.engine, utc_now)
    incident = next(one for one in IncidentStore(made.engine).all() if CHECK in one.checks)
    shown = render_overview(made.settings, incident, utc_now())
    assert "- setting allowed_lateness_days: changed from 3 to 4; every table is made with it." in shown
    assert len(shown.splitlines()) <= 45
    with suppress(SystemExit):
        main(["incidents", "show", incident.id, "--json", "--home", str(made.settings.home)])
    told = json.loads(capsys.readouterr().out)["changes"]
    assert [one["name"] for one in told["changes"]] == ["allowed_lateness_days"]
    assert (told["bad"]["started_by"], told["same_days"], told["is_known"]) == ("Erika <b>", True, True)
    written = page(changes_section(what_changed(made.settings, made.engine, ensure_manifest(), incident)))
    assert "allowed_lateness_days" in written
    assert "<b>" not in written


@pytest.mark.exhaustive  # a changed project is parsed anew: 10 s
def test_a_wrong_model_is_named_first_wherever_an_incident_is_shown(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """A model that doubles a measure is deployed and one day is built again: the file is the first suspect."""
    made = lived(tmp_path / "home")
    with live_fault(made.settings, 7, Injection("silent_transform_bug", "orders", day(2), "large")):
        deployed = load_settings(made.settings.home)
        run_days(replace(made.context, settings=deployed), [day(2)], since=Step.BUILD)
        notice(deployed, made.engine, utc_now)
    incident = next(one for one in IncidentStore(made.engine).all() if one.failure_class == "reconciliation_mismatch")
    found = what_changed(made.settings, made.engine, ensure_manifest(), incident)
    assert (found.is_known, found.same_days) == (True, True)
    first = found.changes[0]
    assert (first.name, first.kind, first.how) == (f"dbt_project/{MODEL}", "model", "changed")
    assert first.is_as_built is False, "it has been mended since"
    assert {one.name for one in found.changes} == {f"dbt_project/{MODEL}", "dbt_project"}
    assert f"model dbt_project/{MODEL}: changed" in render_overview(made.settings, incident, utc_now())
