"""Objectives: the arithmetic by hand, and that neither healing nor silence gives budget back."""

import csv
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from time import perf_counter

import pytest
from sqlalchemy import Engine, delete, insert, text, update

from reliability_platform.causes import CAUSES
from reliability_platform.checks.catalogue import CHECKS, MART_SOURCES
from reliability_platform.checks.failed_runs import FailedRun, FailedRuns
from reliability_platform.checks.results import INSUFFICIENT_HISTORY, CheckResult
from reliability_platform.checks.run_monitor import monitor_builds
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.contracts import SOURCES
from reliability_platform.day_clock import Service, simulate
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import build_fingerprints, builds, first_published, incident_heads
from reliability_platform.settings import Settings, load_settings
from reliability_platform.slo.budget import Budget, budget, exhausted_since
from reliability_platform.slo.burns import note_burns
from reliability_platform.slo.judgement import BAD, GOOD, NOT_ASKED, UNKNOWN, Marks
from reliability_platform.slo.objectives import DATASETS, DEFAULTS, Judged, Objectives, objectives_of, read_objectives
from reliability_platform.slo.report import as_csv, as_json, document, page, staleness, write_report
from reliability_platform.slo.status import ObjectiveStatus, status
from reliability_platform.warehouse.first_shown import published_at
from reliability_platform.warehouse.journal import FAILED, RUNNING, SUCCEEDED, BuildJournal
from tests.ground import Platform
from tests.ground import day as landing_day
from tests.unit.failing import NOW, crashed, day, later, passed, result

BATCHES, RANGE, VOLUME = (
    "bronze_orders__batch_completeness",
    "stg_orders__range_amount",
    "int_orders__deduplicated__volume",
)
ORDERS = """\
budget_window: 20
burn_windows: [7, 3, 1]
burn_alerts:
  - {name: fast, long: 3, short: 1, rate: 4}
indicators:
  arrived: {means: All batches were there at first., judged: first, checks: ["bronze_{source}__batch_completeness"]}
  right: {means: Amounts were never out of range., judged: ever, checks: ["stg_{source}__range_amount"]}
datasets:
  orders:
    freshness: {indicator: arrived, target: 0.95}
    correctness: {indicator: right, target: 0.9}
"""


def noon(number: int) -> datetime:
    return datetime.combine(day(number), time(12), UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home")


@pytest.fixture
def engine(settings: Settings) -> Engine:
    return operations_engine(settings)


def declared(tmp_path: Path, content: str = ORDERS) -> Objectives:
    path = tmp_path / "objectives.yml"
    path.write_text(content)
    return read_objectives(path)


def record(engine: Engine, *results: CheckResult) -> None:
    CheckStore(engine).record(results)


def both_passed(*numbers: int) -> list[CheckResult]:
    return [passed(check, number) for number in numbers for check in (BATCHES, RANGE)]


def objective(engine: Engine, objectives: Objectives, name: str, as_of: date | None = None) -> ObjectiveStatus:
    return next(one for one in status(engine, objectives, NOW, as_of).objectives if one.objective.name == name)


def counts(one: ObjectiveStatus) -> tuple[int, int, int]:
    return one.budget.good, one.budget.bad, one.budget.unknown


def marks(word: str) -> Marks:
    """`g`ood, `b`ad, `u`nknown, not asked (`.`)."""
    return bytes({"g": GOOD, "b": BAD, "u": UNKNOWN, ".": NOT_ASKED}[letter] for letter in word)


def test_the_budget_is_exact_where_floats_are_not() -> None:
    """95 % of 20 days allow one bad day, not 1.0000000000000009: after it nothing is left, and nothing is missed."""
    spent = Budget(Decimal("0.95"), 20, good=19, bad=1, unknown=0)
    assert (spent.allowed, spent.remaining) == (1, 0)
    assert spent.exhausted and not spent.missed
    assert "just holds" in spent.words
    two = replace(spent, good=18, bad=2)
    assert two.exhausted and two.missed
    assert two.remaining == -1
    assert two.attained == 0.9
    none = replace(spent, good=20, bad=0)
    assert not none.exhausted and none.remaining == 1


def test_a_budget_of_less_than_one_day_says_so() -> None:
    """99 % of 28 days allow 0.28 bad ones; whoever reads "0.28 left" must not think that a bad day is allowed."""
    spent = budget(Decimal("0.99"), marks("g" * 28), 28)
    assert spent.allowed == Fraction(28, 100)
    assert "a single bad day exceeds it" in spent.words
    assert "Exhausted, the objective is missed" in replace(spent, good=27, bad=1).words


def test_unknown_days_earn_no_budget_and_days_to_come_do() -> None:
    """A pipeline that judges nothing would have the best of all objectives; a young one is not condemned in a week."""
    assert budget(Decimal("0.9"), marks("g" * 5 + "u" * 15), 20).allowed == Fraction(1, 2)
    young = budget(Decimal("0.9"), marks("." * 15 + "gggbg"), 20)
    assert (young.judged, young.allowed, young.remaining) == (5, 2, 1)
    assert budget(Decimal("0.9"), marks("u" * 20), 20).burn_rate is None


def test_the_burn_rate_by_hand() -> None:
    """One bad day of 7 at 90 %: 1 / 0.7. Over the budget's own window it is the share consumed."""
    days = marks("g" * 13 + "gggbggg")
    assert budget(Decimal("0.9"), days, 7).burn_rate == pytest.approx(1 / 0.7)
    assert budget(Decimal("0.9"), days, 3).burn_rate == 0
    assert budget(Decimal("0.9"), days, 20).burn_rate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("days", "since"),
    [
        ("ggggggggggg", None),
        ("bgggggggggg", None),  # it has left the window of 10
        ("ggggbgggggg", 4),  # 90 % of 10: the one bad day that is allowed is spent
        ("bgggggggggb", 0),  # one left the window as the next one came: there was always one
        ("bggggggggggb", 11),  # here a day lies between them
        ("uuuuuuuuubg", 9),  # 90 % of one day allow a tenth of one
        (".........bg", 9),
    ],
)
def test_since_when_a_budget_is_exhausted(days: str, since: int | None) -> None:
    """The beginning of the last stretch without a break, as a budget of its own for each day would tell it."""
    assert exhausted_since(Decimal("0.9"), marks(days), 10) == since
    each = [budget(Decimal("0.9"), marks(days[: end + 1]), 10).exhausted for end in range(len(days))]
    assert each[-1] is (since is not None)
    if since is not None:
        assert all(each[since:]) and not any(each[since - 1 : since])


def test_healing_gives_nothing_back(engine: Engine, tmp_path: Path) -> None:
    """An objective that a re-run can rewrite measures how well we cover up."""
    objectives = declared(tmp_path)
    record(engine, *both_passed(1, 2, 4), result(BATCHES, 3), result(RANGE, 3))
    before = [counts(one) for one in status(engine, objectives, NOW).objectives]
    CheckStore(engine).invalidate(["orders"], [day(3)])
    record(engine, result(BATCHES, 3), result(RANGE, 3))  # a first attempt that did not help
    CheckStore(engine).invalidate(["orders"], [day(3)])
    record(engine, *both_passed(3))
    assert [one.status.value for one in CheckStore(engine).latest([day(3)])] == ["passed", "passed"]
    assert [counts(one) for one in status(engine, objectives, NOW).objectives] == before == [(3, 1, 0), (3, 1, 0)]


def test_what_is_noticed_later_counts_where_ever_is_declared(engine: Engine, tmp_path: Path) -> None:
    """A day that was fresh stays fresh; a day that proves wrong after it was shown was wrong all the time."""
    record(engine, *both_passed(1, 2), result(BATCHES, 2, at=later(1)), result(RANGE, 2, at=later(1)))
    objectives = declared(tmp_path)
    assert counts(objective(engine, objectives, "freshness")) == (2, 0, 0)
    wrong = objective(engine, objectives, "correctness")
    assert counts(wrong) == (1, 1, 0)
    assert [(one.day, one.checks, one.noticed_later) for one in wrong.bad_days] == [(day(2), [RANGE], True)]


def test_a_day_that_nobody_could_judge_is_neither_good_nor_bad(engine: Engine, tmp_path: Path) -> None:
    """A crashing check must not look like a good day; the first result after the crash is the first judgement."""
    objectives = declared(tmp_path)
    record(engine, *both_passed(1), crashed(BATCHES, 2), passed(RANGE, 2), passed(RANGE, 3))
    fresh = objective(engine, objectives, "freshness")
    assert counts(fresh) == (1, 0, 2)
    assert [(one.day, one.checks) for one in fresh.unknown_days] == [(day(2), [BATCHES]), (day(3), [BATCHES])]
    assert fresh.budget.allowed == Fraction(5, 100) * 18
    record(engine, result(BATCHES, 2), passed(BATCHES, 3))
    assert counts(objective(engine, objectives, "freshness")) == (2, 1, 0)


def test_a_check_is_asked_for_as_soon_as_it_can_answer(engine: Engine, tmp_path: Path) -> None:
    """Too little past is no crash; a check declared today does not make last month unknown, a monitor reports news."""
    objectives = declared(
        tmp_path,
        ORDERS.replace('"stg_{source}__range_amount"', f'"{RANGE}", "{VOLUME}", "bronze_{{source}}__source_answers"'),
    )
    young = replace(crashed(VOLUME, 2), reason=INSUFFICIENT_HISTORY)
    record(engine, *both_passed(1, 2, 3, 4), young, passed(VOLUME, 3))
    one = objective(engine, objectives, "correctness")
    assert counts(one) == (3, 0, 1)
    assert [(unknown.day, unknown.checks) for unknown in one.unknown_days] == [(day(4), [VOLUME])]


def test_a_dataset_begins_with_its_first_results(engine: Engine, tmp_path: Path) -> None:
    """Days before a source was there are not unknown; a gap between its days is."""
    record(engine, *both_passed(5, 7))
    fresh = objective(engine, declared(tmp_path), "freshness")
    assert (fresh.first_day, fresh.last_day, counts(fresh)) == (day(5), day(7), (2, 0, 1))
    assert counts(objective(engine, declared(tmp_path), "freshness", as_of=day(3))) == (0, 0, 0)
    assert counts(objective(engine, declared(tmp_path), "freshness", as_of=day(9))) == (2, 0, 3)


def test_the_window_moves_on_and_the_budget_comes_back(engine: Engine, tmp_path: Path) -> None:
    """Bad days are forgotten by leaving the window, and by nothing else."""
    objectives = declared(tmp_path)
    record(engine, *both_passed(*range(2, 42)), result(BATCHES, 1), passed(RANGE, 1))
    spent = objective(engine, objectives, "freshness", as_of=day(20))
    assert (counts(spent), spent.exhausted_since) == ((19, 1, 0), day(1))
    assert counts(objective(engine, objectives, "freshness", as_of=day(21))) == (20, 0, 0)


def test_an_alert_asks_a_long_and_a_short_window(engine: Engine, tmp_path: Path) -> None:
    """What is over does not burn, however bad it was; the long window keeps one bad hour from alarming."""
    objectives = declared(tmp_path)
    record(engine, *both_passed(*range(1, 9)), result(BATCHES, 9), passed(RANGE, 9))
    burning = objective(engine, objectives, "freshness")
    assert {window: burn.burn_rate for window, burn in burning.burns.items()} == pytest.approx(
        {7: 1 / 0.35, 3: 1 / 0.15, 1: 20}
    )
    assert [alert.name for alert in burning.burning] == ["fast"]
    record(engine, *both_passed(10))
    over = objective(engine, objectives, "freshness")
    assert over.burns[3].burn_rate == pytest.approx(1 / 0.15)
    assert over.burning == []


def test_the_incident_that_spent_the_budget_is_named(engine: Engine, tmp_path: Path) -> None:
    """By check and day; the failure of a symptom leads to the incident of its cause."""
    objectives = declared(tmp_path)
    checks = CheckStore(engine)
    record(engine, result("stg_orders__reject_share", 2), *both_passed(1))
    [symptom] = observe(engine, checks.after(0, 100), NOW)
    record(engine, result(RANGE, 2))
    assert objective(engine, objectives, "correctness").bad_days[0].incidents == []  # no sensor has been there yet
    changed = observe(engine, checks.after(0, 100), NOW)
    [cause] = set(changed) - {symptom}
    assert objective(engine, objectives, "correctness").bad_days[0].incidents == [cause]
    rejects = declared(tmp_path, ORDERS.replace('"stg_{source}__range_amount"', '"stg_{source}__reject_share"'))
    assert objective(engine, rejects, "correctness").bad_days[0].incidents == [cause]


def test_a_home_without_results_says_so(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    """Before the first run, and for checks that only an older version knew."""
    found = status(engine, declared(tmp_path), NOW)
    assert (found.as_of, found.objectives) == (None, [])
    assert "never" in markdown(page(found))
    assert "reliability run" in (staleness(found, engine, noon(3)) or "")
    record(engine, replace(passed(BATCHES, 1), check="stg_orders__of_an_older_version"))
    assert status(engine, declared(tmp_path), NOW).as_of is None
    assert len(write_report(settings, found)) == 2


def test_days_that_are_over_and_not_judged_are_not_passed_over(engine: Engine, tmp_path: Path) -> None:
    """A pipeline that stands still has no bad days: the report must not look fine."""
    record(engine, *both_passed(1))
    found = status(engine, declared(tmp_path), NOW)
    assert staleness(found, engine, noon(2)) is None
    assert "1 later day is over" in (staleness(found, engine, noon(3)) or "")
    assert "3 later days are over" in (staleness(found, engine, noon(5)) or "")


def test_days_that_were_never_due_are_not_missed(engine: Engine, tmp_path: Path) -> None:
    """After a demo, which plays a past, the page said that 301 days since then were not in its numbers."""
    record(engine, *both_passed(1))
    simulate(engine, [day(1)], NOW)
    found = status(engine, declared(tmp_path), NOW)
    assert staleness(found, engine, noon(20)) is None
    Service(engine).note(True, noon(20))
    assert "2 later days are over" in (staleness(found, engine, noon(22)) or "")


HOSTILE = {
    "unknown dataset": ("  orders:", "  ordres:", "line 9.*choose from agg_daily_fulfilment"),
    "unknown objective": ("freshness:", "freshnes:", "line 10.*orders.freshnes"),
    "unknown indicator": ("indicator: right", "indicator: rihgt", "line 11.*there is no indicator 'rihgt'"),
    "unknown check": ("stg_{source}__range_amount", "stg_{source}__rang_amount", "line 7.*no check is called"),
    "unknown class": (
        'checks: ["stg_{source}__range_amount"]',
        "classes: [null_spikes]",
        "line 7.*there is no class",
    ),
    "no check of the dataset": (
        "stg_{source}__range_amount",
        "stg_web_events__no_poison",
        "selects no check of orders",
    ),
    "no check at all": (', checks: ["stg_{source}__range_amount"]', "", "line 7.*names no check"),
    "target of one": ("target: 0.95", "target: 1.0", "line 10.*less than 1"),
    "target of zero": ("target: 0.95", "target: 0", "line 10.*greater than 0"),
    "target in percent": ("target: 0.95", "target: 95 %", "line 10.*write 0.99 for 99 %"),
    "target of nothing": ("target: 0.95", "target: .nan", "line 10"),
    "target yes": ("target: 0.95", "target: yes", "line 10.*between 0 and 1"),
    "no windows": ("burn_windows: [7, 3, 1]", "burn_windows: []", "line 2.*it must hold 1 or more"),
    "window of zero": ("budget_window: 20", "budget_window: 0", "line 1.*greater than or equal to 1"),
    "window of ages": ("budget_window: 20", "budget_window: 999999999", "line 1.*less than or equal to 366"),
    "window shorter than a burn": ("budget_window: 20", "budget_window: 5", "line 10.*lengthen it"),
    "alert on no window": ("long: 3", "long: 4", "line 4.*burn_windows"),
    "alert upside down": ("long: 3, short: 1", "long: 1, short: 3", "line 4.*must be less than long"),
    "burn without end": ("rate: 4", "rate: .inf", "line 4.*finite"),
    "one key twice": ("    correctness:", "    freshness:", "line 11: freshness stands there twice"),
    "a key too many": ("judged: first", "judged: first, sql: drop table", "line 6.*sql"),
    "another judgement": ("judged: first", "judged: last", "line 6.*'first' or 'ever'"),
    "code": ("target: 0.95", "target: !!python/object/apply:os.getcwd []", "line 10.*is not YAML"),
    "no YAML": ("datasets:", "datasets: [", "is not YAML"),
    "a bomb": ("means: All batches were there at first.", "means: " + "x" * 2_000_000, "longer than"),
    "depth": ("target: 0.95", "target: " + "[" * 5000 + "]" * 5000, "value that cannot be|is not YAML|share"),
    "signs of a terminal": ("  orders:", '  "\\e[31mred":', r"line 9: datasets. \[31mred: there is no such dataset"),
    "a cycle": ("datasets:\n", "datasets: &a\n  payments: *a\n", "unfolds to more than 500,000 values"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_objectives_that_make_no_sense_are_refused_with_the_line(case: str, tmp_path: Path) -> None:
    """A promise that nobody counts is worse than none."""
    old, new, words = HOSTILE[case]
    assert old in ORDERS
    with pytest.raises(UsageError, match=words):
        declared(tmp_path, ORDERS.replace(old, new, 1))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Empty, missing, a folder, no text."""
    for path, content in ((tmp_path / "empty.yml", b""), (tmp_path / "binary.yml", b"\xff\xfe\x00")):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=path.name):
            read_objectives(path)
    for path in (tmp_path / "missing.yml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_objectives(path)


def test_the_objectives_of_the_shop_cover_all_its_datasets() -> None:
    """Each published mart and each source has three; together they rest on every check that can hold a publication."""
    objectives = objectives_of(load_settings())
    assert sorted((one.dataset, one.name) for one in objectives.all) == sorted(
        (dataset, name) for dataset in DATASETS for name in ("freshness", "completeness", "correctness")
    )
    used = {check for one in objectives.all for check in one.checks if one.name != "freshness"}
    blocking = {name for name, spec in CHECKS.items() if spec.blocking}
    assert blocking <= used
    assert {one.judged for one in objectives.all if one.name == "freshness"} == {Judged.FIRST}
    assert {one.judged for one in objectives.all if one.name != "freshness"} == {Judged.EVER}
    revenue = next(one for one in objectives.all if one.dataset == "agg_daily_revenue")
    assert not [check for check in revenue.checks if "web_events" in check]


def test_a_project_that_says_nothing_has_objectives_for_each_of_its_datasets(tmp_path: Path) -> None:
    """The file of the platform named the datasets of the shop: in any other project `reliability slo` ended with exit code 2."""
    derived = read_objectives(DEFAULTS)
    assert sorted((one.dataset, one.name) for one in derived.all) == sorted(
        (dataset, name) for dataset in DATASETS for name in ("freshness", "completeness", "correctness")
    )
    assert {one.target for one in derived.all} == {Decimal("0.92")}
    blocking = {name for name, spec in CHECKS.items() if spec.blocking}
    assert blocking <= {check for one in derived.all for check in one.checks}
    # A file stands before the defaults key by key: with `datasets` it names all that there are.
    own = declared(tmp_path, "datasets:\n  orders:\n    freshness: {indicator: landed_on_time, target: 0.99}\n")
    assert [(one.dataset, one.name, one.target) for one in own.all] == [("orders", "freshness", Decimal("0.99"))]
    assert (own.burn_windows, own.alerts) == (derived.burn_windows, derived.alerts)
    own = declared(tmp_path, "of_a_source:\n  freshness: {indicator: landed_on_time, target: 0.5}\n")
    assert {(one.dataset in SOURCES, one.name) for one in own.all if one.target == Decimal("0.5")} == {
        (True, "freshness")
    }
    with pytest.raises(UsageError, match=r"There is no objective for 'x'.*agg_daily_funnel"):
        read_objectives(DEFAULTS, ["x"])


def test_the_report_is_the_same_in_all_forms(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    """The same store gives the same bytes; JSON, CSV and page tell the same numbers."""
    record(engine, *both_passed(1, 2, 3), result(BATCHES, 4), passed(RANGE, 4), crashed(RANGE, 5), passed(BATCHES, 5))
    found = status(engine, declared(tmp_path), NOW)
    files = write_report(settings, found)
    assert [path.relative_to(settings.home).as_posix() for path in files] == ["slo/slo.json", "slo/slo.csv"]
    written = json.loads(files[0].read_text())
    assert written == document(found) == json.loads(as_json(status(engine, declared(tmp_path), NOW)))
    fresh, right = written["objectives"]
    assert {name: fresh[name] for name in ("good", "bad", "unknown", "budget_days", "budget_left_days")} == {
        "good": 4,
        "bad": 1,
        "unknown": 0,
        "budget_days": 1.0,
        "budget_left_days": 0.0,
    }
    assert (fresh["exhausted"], fresh["missed"], fresh["exhausted_since"]) == (True, False, "2026-01-04")
    assert right["unknown_days"] == [{"day": "2026-01-05", "checks": [RANGE]}]
    rows = list(csv.DictReader(io.StringIO(files[1].read_text())))
    assert [row["objective"] for row in rows] == ["freshness", "correctness", "runs"]
    for row, one in zip(rows[:2], written["objectives"], strict=True):
        assert {name: row[name] for name in ("good", "bad", "words")} == {
            name: str(one[name]) for name in ("good", "bad", "words")
        }
    assert rows[0]["bad_days"] == "2026-01-04"
    shown = markdown(page(found))
    assert "Error budgets exhausted: 1 of 2" in shown
    assert f"| orders | freshness | 2026-01-04 | {BATCHES} | none yet | at first |" in shown


def test_words_of_the_file_are_text_in_every_form(engine: Engine, tmp_path: Path) -> None:
    """The file is written by people and read by spreadsheets and browsers."""
    record(engine, result(BATCHES, 1), result(RANGE, 1))
    content = ORDERS.replace("All batches were there at first.", '"=HYPERLINK(1) <script>alert(1)</script>"')
    found = status(engine, declared(tmp_path, content), NOW)
    assert "<script>" not in markdown(page(found))
    cells = [cell for row in csv.reader(io.StringIO(as_csv(found).decode())) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]


def test_the_command_shows_and_refuses(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table for people, JSON and CSV for programs; an exhausted budget is no failure of the command."""
    (tmp_path / "objectives.yml").write_text(ORDERS)
    monkeypatch.setenv("RELIABILITY_SLO_FILE", str(tmp_path / "objectives.yml"))
    home = str(tmp_path / "home")
    record(engine, *both_passed(1, 2), result(BATCHES, 3), passed(RANGE, 3))

    def run(*arguments: str) -> str:
        assert main(["slo", "--home", home, *arguments]) == ExitCode.OK
        return capsys.readouterr().out

    assert "95 % of 20" in run() and "Exhausted" in run()
    assert json.loads(run("--json"))["exhausted"] == 1
    assert json.loads(run("--json", "--as-of", "2026-01-02"))["exhausted"] == 0
    assert run("--csv").splitlines()[0].startswith("dataset,objective,")
    for wrong in (["--json", "--csv"], ["--dataset", "ordres"], ["--as-of", "2026-13-01"]):
        with pytest.raises(SystemExit) as stopped:
            main(["slo", "--home", home, *wrong])
        assert stopped.value.code == ExitCode.USAGE
    monkeypatch.setenv("RELIABILITY_SLO_FILE", str(tmp_path / "gone.yml"))
    with pytest.raises(SystemExit) as stopped:
        main(["slo", "--home", home])
    assert stopped.value.code == ExitCode.USAGE


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two landing days, of which the second one of payments is held for its nulls. Each test has a copy."""
    injections = [Injection("null_spike", "payments", landing_day(2), "large")]
    made = Platform(tmp_path_factory.mktemp("spent") / "home", injections=injections)
    made.run(landing_day(1), landing_day(2))
    return made


def healthy_again(spent: Platform, home: Path) -> Platform:
    """A copy whose source delivers without nulls from now on."""
    shutil.copytree(spent.settings.home, home, symlinks=True)
    return Platform(home)


@pytest.mark.exhaustive  # 13 s
def test_an_exhausted_budget_stops_no_publication(spent: Platform, tmp_path: Path) -> None:
    """Through the real pipeline: a null spike spends the budget, healing publishes the day, the budget stays spent."""
    made = healthy_again(spent, tmp_path / "home")
    objectives = objectives_of(made.settings, ["agg_daily_payments", "agg_daily_funnel"])
    observe(made.engine, made.checks.after(0, 10_000), NOW)
    wrong = objective(made.engine, objectives, "correctness")
    assert (wrong.objective.dataset, counts(wrong), wrong.budget.missed) == ("agg_daily_payments", (1, 1, 0), True)
    assert wrong.bad_days[0].incidents == ["INC-0001-null_spike-payments-2026-01-02"]
    assert not wrong.bad_days[0].noticed_later
    late = objective(made.engine, objectives, "freshness")
    assert counts(late) == (1, 1, 0)  # the day was held when first judged: consumers did not get it on time

    healed = made.run(landing_day(2), landing_day(3))
    assert not healed.held
    table = next(one for one in healed.tables if one.name == "agg_daily_payments")
    assert (table.fresh_dates, table.absent_dates) == (3, [])
    after = status(made.engine, objectives, NOW)
    assert [(one.objective.dataset, one.objective.name, counts(one)) for one in after.objectives] == [
        ("agg_daily_payments", "freshness", (2, 1, 0)),
        ("agg_daily_payments", "completeness", (3, 0, 0)),
        ("agg_daily_payments", "correctness", (2, 1, 0)),
        ("agg_daily_funnel", "freshness", (3, 0, 0)),
        ("agg_daily_funnel", "completeness", (3, 0, 0)),
        ("agg_daily_funnel", "correctness", (3, 0, 0)),
    ]
    assert [one.objective.name for one in after.exhausted] == ["correctness"]


PROMISED = """\
budget_window: 20
burn_windows: [7]
indicators:
  shown: {means: Consumers had it in time., judged: first, checks: ["bronze_{source}__batch_completeness"]}
datasets:
  agg_daily_revenue:
    freshness: {indicator: shown, target: 0.9, published_by: "06:00"}
"""


def shown(engine: Engine, number: int, at: datetime) -> None:
    """The n-th day was shown to consumers for the first time at that moment."""
    row = {"mart": "agg_daily_revenue", "event_date": day(number), "version": "v000001"}
    with engine.begin() as connection:
        connection.execute(insert(first_published).values(**row, published_at=at))


def morning(number: int, hour: int, minute: int = 0) -> datetime:
    """An hour of the day after the n-th day."""
    return datetime.combine(day(number + 1), time(hour, minute), tzinfo=UTC)


def test_published_on_time_compares_the_moment_with_the_promised_hour(engine: Engine, tmp_path: Path) -> None:
    """All checks passed: a day that was first run three days late was good, and one that nobody was ever shown, too."""
    record(engine, *both_passed(1, 2, 3, 4, 5))
    objectives = declared(tmp_path, PROMISED)
    shown(engine, 1, morning(1, 6))
    shown(engine, 2, morning(2, 6, 1))
    shown(engine, 3, morning(6, 2))
    [one] = status(engine, objectives, morning(5, 5, 59)).objectives
    assert [(bad.day, bad.checks, bad.noticed_later) for bad in one.bad_days] == [
        (day(number), ["published by 06:00"], False) for number in (2, 3, 4)
    ]
    assert counts(one) == (2, 3, 0)  # the fifth: nobody waits for it yet, and its checks passed
    [one] = status(engine, objectives, morning(5, 6, 1)).objectives
    assert [bad.day for bad in one.bad_days] == [day(number) for number in (2, 3, 4, 5)]
    page_of_it = markdown(page(status(engine, objectives, morning(5, 6, 1))))
    assert "published by 06:00" in page_of_it


def test_days_that_were_due_and_never_run_are_bad_although_nothing_was_judged(engine: Engine, tmp_path: Path) -> None:
    """A platform that stands still for two days does not end its objectives on its last good day."""
    objectives = declared(tmp_path, PROMISED)
    Service(engine).note(True, morning(1, 1))
    record(engine, *both_passed(1))
    shown(engine, 1, morning(1, 3))
    found = status(engine, objectives, morning(3, 7))
    assert (found.as_of, counts(found.objectives[0])) == (day(3), (1, 2, 0))
    assert status(engine, objectives, morning(1, 5)).as_of == day(1)
    other = operations_engine(load_settings(tmp_path / "never_run"))
    Service(other).note(True, morning(1, 1))
    assert counts(status(other, objectives, morning(2, 7)).objectives[0]) == (0, 2, 0)


def test_a_day_that_the_lab_plays_is_judged_by_its_own_clock(engine: Engine, tmp_path: Path) -> None:
    """A month that is played in November was published in time in January; what it leaves unpublished was not."""
    record(engine, *both_passed(1, 2, 3))
    began = datetime(2026, 11, 28, 15, tzinfo=UTC)
    simulate(engine, [day(1), day(2)], began)
    for number in (1, 3):
        shown(engine, number, began + timedelta(minutes=2))
    [one] = status(engine, declared(tmp_path, PROMISED), began + timedelta(hours=1)).objectives
    assert [bad.day for bad in one.bad_days] == [day(3)]
    [one] = status(engine, declared(tmp_path, PROMISED), began + timedelta(hours=5)).objectives
    assert [bad.day for bad in one.bad_days] == [day(2), day(3)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (PROMISED.replace('"06:00"', "10:00"), "published_by"),
        (PROMISED.replace('"06:00"', '"24:00"'), "published_by"),
        (PROMISED.replace("agg_daily_revenue", "orders"), "only marts are published"),
    ],
)
def test_an_hour_that_is_none_is_refused(tmp_path: Path, wrong: str, said: str) -> None:
    """Without its quotes YAML reads 10:00 as the number 600."""
    with pytest.raises(UsageError, match=said):
        declared(tmp_path, wrong)


def test_every_mart_promises_an_hour() -> None:
    """In the file that comes with the platform."""
    found = [one for one in objectives_of(load_settings()).all if one.name == "freshness"]
    assert all((one.published_by is not None) == (one.dataset in MART_SOURCES) for one in found)


@pytest.mark.exhaustive  # 10 s
def test_the_moment_of_publication_is_written_down_by_the_publication_itself(spent: Platform, tmp_path: Path) -> None:
    """Through the real release: a held day has none, its later version gives it one, and nothing ever changes it."""
    made = healthy_again(spent, tmp_path / "home")
    days = (landing_day(1), landing_day(2))
    first = published_at(made.engine, "agg_daily_payments", *days)
    assert set(first) == {landing_day(1)}
    assert set(published_at(made.engine, "agg_daily_funnel", *days)) == {landing_day(1), landing_day(2)}
    with made.engine.begin() as connection:  # the process was killed before it could write that down
        connection.execute(delete(first_published).where(first_published.c.mart == "agg_daily_funnel"))
        connection.execute(update(first_published).values(version="v000000"))
    made.run(landing_day(2), landing_day(2))
    after = published_at(made.engine, "agg_daily_payments", *days)
    assert after[landing_day(1)] == first[landing_day(1)] < after[landing_day(2)]
    funnel = published_at(made.engine, "agg_daily_funnel", *days)
    assert set(funnel) == {landing_day(1), landing_day(2)} and max(funnel.values()) < after[landing_day(2)]


def half_a_million_results(engine: Engine, names: Sequence[str]) -> int:
    """Every check on 365 days, nine evaluations each, a failure now and then; made in the store itself."""
    statement = """
        with recursive n(value) as (select 0 union all select value + 1 from n where value < 3283),
        names(name) as (select value from json_each(:names))
        insert into check_results (check_name, dataset, source, partition_date, status, threshold, message, sample,
            details, run_id, evaluated_at, stale)
        select name, 'd', 's', date('2026-01-01', '+' || (value % 365) || ' days'),
            case when (value * 7919 + length(name) * 31) % 1009 = 0 then 'failed' else 'passed' end, '', '', '[]',
            '{}', 'run', '2027-02-01 00:00:00.000000', value < 2920
        from n cross join names
    """
    with engine.begin() as connection:
        connection.execute(text(statement), {"names": json.dumps(list(names))})
        return int(connection.execute(text("select count(*) from check_results")).scalar_one())


@pytest.mark.exhaustive  # 9 s, most of it to make half a million results
def test_a_year_of_results_is_read_in_a_moment(engine: Engine) -> None:
    """One query for the spans and one for the window, whatever lies before it."""
    assert half_a_million_results(engine, list(CHECKS)) > 500_000
    objectives = objectives_of(load_settings())
    began = perf_counter()
    found = status(engine, objectives, NOW)
    took = perf_counter() - began
    assert found.as_of == date(2026, 1, 1) + timedelta(days=364)
    assert sum(one.budget.judged for one in found.objectives) == 27 * 28
    assert sum(one.budget.bad for one in found.objectives) > 27
    assert took < 15, f"{took:.2f} s"  # 1 s on an idle core; a query for each day would take minutes


RUNS = ORDERS + "runs: {target: 0.9, budget_window: 30}\n"


def test_runs_that_failed_spend_a_budget_of_their_own(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    """Of ten runs one may fail at 90 %; a run whose build ended well and that died later is one run, and a failed one."""
    journal = BuildJournal(engine, settings.builds)
    objectives = declared(tmp_path, RUNS)
    now = later(0)
    assert status(engine, objectives, now).runs is not None
    for number in range(16):
        at = now - timedelta(days=20, hours=-number)
        build = journal.begin(day(1), day(1), at)
        begins = insert(build_fingerprints).values(
            build=build, fingerprint="f", started_by="x", started_from="y", run=f"run-{number}"
        )
        with engine.begin() as connection:
            connection.execute(begins)
        journal.end(build, at, FAILED if number == 0 else SUCCEEDED, "it broke" if number == 0 else None)
    cause = next(iter(CAUSES.values()))
    for name, days_ago in (("run-5", 20), ("of landing alone", 1), ("long ago", 31)):
        died = FailedRun(name, "daily", "audit", "orders", day(1), day(1), cause, "x", now - timedelta(days=days_ago))
        FailedRuns(engine).record(died)
    working = journal.begin(day(2), day(2), now - timedelta(hours=1))
    found = status(engine, objectives, now).runs
    assert found is not None
    assert (found.budget.good, found.budget.bad, found.budget.exhausted) == (14, 3, True)
    assert [(window, one.judged, one.burn_rate) for window, one in found.burns.items()] == [
        (7, 1, pytest.approx(10)), (3, 1, pytest.approx(10)), (1, 0, None),
    ]  # fmt: skip
    assert found.burning == [], "nothing has failed within the short window"
    assert found.words == (
        "14 runs of 17 within 30 days ended well; 90 % allow 1.70 that do not: the objective is missed."
    )
    journal.end(working, now, FAILED, "it broke")
    again = status(engine, objectives, now)
    assert again.runs is not None
    assert [alert.name for alert in again.runs.burning] == ["fast"]
    assert document(again)["runs"]["bad"] == 4
    assert "Runs: 14 runs of 18" in markdown(page(again))
    of_runs = list(csv.DictReader(io.StringIO(as_csv(again).decode())))[-1]
    assert {name: of_runs[name] for name in ("dataset", "objective", "bad", "budget_runs", "budget_days", "burning")} == {
        "dataset": "pipeline", "objective": "runs", "bad": "4", "budget_runs": "1.8", "budget_days": "", "burning": "fast",
    }  # fmt: skip
    assert status(engine, objectives, now, as_of=day(3)).runs is None
    with pytest.raises(UsageError, match="shorter than one of burn_windows"):
        declared(tmp_path, RUNS.replace("budget_window: 30", "budget_window: 3"))


def test_a_budget_that_burns_is_told_once_with_the_incident_that_made_it(engine: Engine, tmp_path: Path) -> None:
    """A burn that only a dashboard shows is seen by whoever looks at the dashboard."""
    slower = "rate: 4}\n  - {name: slow, long: 7, short: 3, rate: 2}"
    objectives = declared(tmp_path, ORDERS.replace("rate: 4}", slower))
    checks, store = CheckStore(engine), IncidentStore(engine)
    record(engine, *both_passed(1, 2, 3), result(BATCHES, 4), passed(RANGE, 4))
    assert note_burns(store, status(engine, objectives, NOW), NOW) == [], "no incident is known yet"
    observe(engine, checks.after(0, 100), NOW)
    (one,) = store.all()
    assert note_burns(store, status(engine, objectives, NOW), NOW) == [one.id]
    assert note_burns(store, status(engine, objectives, NOW), NOW) == []
    (told,) = (entry for entry in store.get(one.id).timeline if entry.kind == "burn")
    assert told.why == (
        "The error budget of orders freshness burns, at 4 times what it allows or more over 3 days and 1 day (fast): "
        "see `reliability slo`."
    )


def test_a_run_that_was_killed_has_failed_once_somebody_has_noticed(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    """Nobody writes down that he was killed; the monitor of runs finds it out, and its incident is that of the burn."""
    journal, checks, store = BuildJournal(engine, settings.builds), CheckStore(engine), IncidentStore(engine)
    objectives = declared(tmp_path, RUNS)
    with engine.begin() as connection:  # an entry without a lock, as a process leaves it that is gone
        gone = {"first_day": day(4), "last_day": day(4), "process": 1, "outcome": RUNNING, "began_at": NOW}
        connection.execute(insert(builds).values(**gone))
    record(engine, replace(result(BATCHES, 9), run_id="run-7"))
    found = status(engine, objectives, later(60)).runs
    assert found is not None
    assert found.words == "No run has ended within 30 days."
    monitor_builds(settings, engine, later(5))
    observe(engine, checks.after(0, 100), later(6))
    again = status(engine, objectives, later(60))
    assert again.runs is not None
    assert (again.runs.budget.good, again.runs.budget.bad) == (0, 1)
    (killed,) = store.find(incident_heads.c.failure_class == "run_killed")
    assert again.runs.incidents == [killed.id], "the incident of the data is none of a failed run"
    assert killed.id in note_burns(store, again, later(60))
    assert journal.settled() == 1
