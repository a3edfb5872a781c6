"""The change freeze: of a dataset without error budget nothing new is deployed, and everything else goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reliability_platform.audit_log import AuditLog, Changes
from reliability_platform.backfills.decisions import Consent, admit_run
from reliability_platform.backfills.guard import Purpose, Request, objections
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.slo.freeze import frozen_changes
from reliability_platform.warehouse.fingerprints.collect import fingerprint_of
from reliability_platform.warehouse.fingerprints.model import BuildFingerprint, BuildInput, InputKind, Part
from reliability_platform.warehouse.fingerprints.store import BuildFingerprints, BuildOrigin
from reliability_platform.warehouse.journal import FAILED, SUCCEEDED, BuildJournal
from tests.unit.failing import NOW, day, passed, result

RANGE = "stg_orders__range_amount"
PROMISED = """\
budget_window: 20
burn_windows: [3]
burn_alerts: []
indicators:
  right: {means: Amounts were never out of range., judged: ever, checks: ["stg_orders__range_amount"]}
datasets:
  agg_daily_revenue:
    correctness: {indicator: right, target: 0.9}
"""
MART, OTHER = "models/marts/agg_daily_revenue.sql", "models/marts/agg_daily_funnel.sql"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with the freeze on, and one objective: of 20 days two may be bad."""
    (tmp_path / "objectives.yml").write_text(PROMISED)
    monkeypatch.setenv("RELIABILITY_SLO_FILE", str(tmp_path / "objectives.yml"))
    monkeypatch.setenv("RELIABILITY_CHANGE_FREEZE", "true")
    return load_settings(tmp_path / "home")


@pytest.fixture
def engine(settings: Settings) -> Engine:
    return operations_engine(settings)


def spend(engine: Engine, *numbers: int) -> None:
    CheckStore(engine).record([*(passed(RANGE, one) for one in (1, 2, 3)), *(result(RANGE, one) for one in numbers)])


def build(settings: Settings, engine: Engine, fingerprint: BuildFingerprint, outcome: str = SUCCEEDED) -> int:
    journal = BuildJournal(engine, settings.builds)
    number = journal.begin(day(1), day(3), NOW)
    BuildFingerprints(engine).record(BuildOrigin(number, fingerprint.digest, "ann", "cli", "", None), fingerprint, NOW)
    journal.end(number, NOW, outcome)
    return number


def before(settings: Settings, *changed: str) -> BuildFingerprint:
    """What a build was made with after which these inputs have changed."""
    now = fingerprint_of(settings)
    assert {one.name for one in now.inputs} >= set(changed)
    return BuildFingerprint(tuple(replace(one, digest="0" * 16) if one.name in changed else one for one in now.inputs))


def frozen(settings: Settings, engine: Engine, *changed: str) -> str | None:
    build(settings, engine, before(settings, *changed))
    return frozen_changes(settings, engine, NOW)


def test_one_line_says_what_is_frozen_and_why(settings: Settings, engine: Engine) -> None:
    """The file, the build before it, the dataset, and the figures of its budget."""
    spend(engine, 4, 5)
    assert frozen(settings, engine, MART, OTHER) == (
        "dbt_project/models/marts/agg_daily_revenue.sql changed since build 1 and would change agg_daily_revenue, frozen until "
        "the error budget has recovered (agg_daily_revenue correctness: Exhausted, the objective just holds: 20 days at 90 % "
        "allow 2.00 bad ones; there were 2, and the next one misses it): take the change back, or have it approved"
    )


@pytest.mark.parametrize(
    "changed", ["orders.yml", "models/staging/stg_orders.sql", "macros/staging.sql", "dbt_project.yml"]
)
def test_what_the_dataset_is_made_with_is_frozen_with_it(settings: Settings, engine: Engine, changed: str) -> None:
    """The contract of its source, a model above it, a macro that it calls, and what concerns every model."""
    spend(engine, 4, 5)
    assert changed in (frozen(settings, engine, changed) or "")


def test_all_else_goes_on(settings: Settings, engine: Engine) -> None:
    """Another dataset's model, a contract that it is not made with, checks, settings and code; and what has not changed."""
    spend(engine, 4, 5)
    assert frozen(settings, engine) is None
    assert (
        frozen(settings, engine, OTHER, "web_events.yml", "stg_orders.yml", "alert_urls", "reliability_platform")
        is None
    )


def test_reference_data_are_data(settings: Settings, engine: Engine) -> None:
    """Every run loads them anew: as what is deployed they would stop each one after the first."""
    spend(engine, 4, 5)
    rates = BuildInput(Part.REFERENCE, "currency_rates", InputKind.REFERENCE, "0" * 16)
    build(settings, engine, BuildFingerprint((*fingerprint_of(settings).inputs, rates)))
    assert frozen_changes(settings, engine, NOW) is None


def test_a_budget_with_something_left_freezes_nothing(settings: Settings, engine: Engine) -> None:
    """Nor does a home that was never built, or the setting where it is off, which is the default."""
    spend(engine, 4)
    assert frozen(settings, engine, MART) is None
    spend(engine, 5)
    assert frozen_changes(settings, engine, NOW) is not None
    assert not Settings.model_fields["change_freeze"].default
    assert frozen_changes(settings.model_copy(update={"change_freeze": False}), engine, NOW) is None


def test_a_model_that_is_gone_would_change_its_table(settings: Settings, engine: Engine) -> None:
    """It was there when the last build was made."""
    spend(engine, 4, 5)
    gone = BuildInput(Part.DBT_PROJECT, "models/intermediate/int_orders__deduplicated.sql", InputKind.MODEL, "0" * 16)
    inputs = [one for one in fingerprint_of(settings).inputs if one.name != gone.name]
    build(settings, engine, BuildFingerprint((*inputs, gone)))
    assert gone.name in (frozen_changes(settings, engine, NOW) or "")


def test_a_build_that_failed_has_deployed_nothing(settings: Settings, engine: Engine) -> None:
    """What counts is what the tables are made with."""
    spend(engine, 4, 5)
    build(settings, engine, before(settings, MART))
    build(settings, engine, fingerprint_of(settings), FAILED)
    assert "since build 1" in (frozen_changes(settings, engine, NOW) or "")


def test_whoever_runs_days_is_refused_until_somebody_approves(settings: Settings, engine: Engine) -> None:
    """Healing too: what it would build is as new. Approved once and built, it is what the tables are made with."""
    spend(engine, 4, 5)
    build(settings, engine, before(settings, MART))
    # A first day, and one that was built.
    for place, (purpose, number) in enumerate((one, number) for one in Purpose for number in (3, 6)):
        asked = Request(day(number), day(number), purpose, asks_source=False, now=NOW)
        command = "run" if purpose is Purpose.ROUTINE else "backfill"
        with pytest.raises(
            UsageError, match=f"`reliability {command} --from {day(number)} .* --approve --why REASON`"
        ) as told:
            admit_run(settings, engine, asked, f"refused-{place}")
        assert "\n" not in str(told.value)
    asked = Request(day(6), day(6), Purpose.ROUTINE, asks_source=True, now=NOW)
    admit_run(settings, engine, asked, "approved", consent=Consent("ben", "it mends what made the days bad"))
    [entry] = [one for one in AuditLog(engine).all() if one.command == Changes.OVERRULE]
    assert (entry.who, entry.why) == ("ben", "it mends what made the days bad")
    assert entry.what.endswith(": frozen changes")
    build(settings, engine, fingerprint_of(settings))
    for purpose in Purpose:
        assert objections(settings, engine, Request(day(7), day(7), purpose, asks_source=True, now=NOW)) == {}


def test_reliability_slo_says_what_is_frozen(
    settings: Settings, engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the budgets stand, whether or not anything has changed; nothing where the freeze is off."""
    spend(engine, 4, 5)

    def said(*options: str) -> str:
        assert main(["slo", "--home", str(settings.home), *options]) == ExitCode.OK
        return capsys.readouterr().out

    assert "Frozen: agg_daily_revenue. Changes of their models" in said()
    assert json.loads(said("--json"))["frozen"] == ["agg_daily_revenue"]
    monkeypatch.delenv("RELIABILITY_CHANGE_FREEZE")
    assert "Frozen" not in said()
    assert json.loads(said("--json"))["frozen"] == []
