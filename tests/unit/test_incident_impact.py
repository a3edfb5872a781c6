"""The blast radius of a real incident: nulls in half of the orders of a day that had been published before."""

import io
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import networkx as nx
import pyarrow.parquet as pq
import pytest

from reliability_platform.cli.main import main
from reliability_platform.errors import UsageError
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.impact import (
    BAD,
    RECOVERED,
    MeasureRow,
    measure_table,
    measures,
    phase_of,
    radius,
    reach,
    reach_of,
    record_impact,
    root_nodes,
)
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lineage.columns import column_lineage
from reliability_platform.lineage.export import flat_graph, graphml
from reliability_platform.lineage.picture import picture
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.heal import act, verify
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from tests.ground import Platform, day
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, later, missing, result

INJECTED = day(2)
SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Story:
    """One incident before and after healing, with gold as it was at each moment."""

    platform: Platform
    clean: dict[str, Decimal]
    spoiled: dict[str, Decimal]
    before: Incident
    after: Incident


def sums(platform: Platform) -> dict[str, Decimal]:
    """Two measures of the hit day, asked by hand."""
    [row] = platform.query(
        f"select sum(orders), sum(gross_amount_eur) from agg_daily_revenue where event_date = date '{INJECTED}'"
    )
    return {"orders": Decimal(str(row[0])), "gross_amount_eur": Decimal(str(row[1]))}


def again(platform: Platform) -> None:
    platform.admit(INJECTED, INJECTED)
    platform.check(INJECTED, INJECTED, platform.build(INJECTED, INJECTED))
    platform.publish()
    observe(platform.engine, platform.checks.after(0, 100_000), NOW)


@pytest.fixture(scope="module", params=[pytest.param("healed", marks=pytest.mark.exhaustive)])  # 10 s
def story(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Story:
    made = lived(tmp_path_factory.mktemp("impact") / "home")
    clean = sums(made)
    ActivePlan(7, (Injection("null_spike", "orders", INJECTED, "large"),)).save(made.settings)
    made.deliver("orders", INJECTED)
    again(made)
    spoiled, store = sums(made), IncidentStore(made.engine)
    [incident] = store.all()
    assert act(made.settings, made.engine, incident.id, later(1), "test").reruns == [INJECTED]
    before = store.get(incident.id)
    again(made)
    assert verify(made.settings, made.engine, incident.id, later(2), "test")
    incident = store.get(incident.id)
    assert phase_of(incident) == RECOVERED
    assert record_impact(made.settings, made.engine, incident, later(3), RECOVERED)
    return Story(made, clean, spoiled, before, store.get(incident.id))


def row(incident: Incident, measure: str, table: str = "agg_daily_revenue") -> MeasureRow:
    return next(one for one in measure_table(incident) if (one.table, one.measure) == (table, measure))


def test_each_measure_as_it_was_published_as_it_was_bad_and_as_it_recovered(story: Story) -> None:
    """The three numbers that anybody asks for after an incident, equal to what gold itself said at the time."""
    assert story.spoiled["orders"] < story.clean["orders"]
    for measure in ("orders", "gross_amount_eur"):
        found = row(story.after, measure)
        assert found.event_dates == (INJECTED,)
        assert (found.published, found.published_dates) == (story.clean[measure], 1)
        assert found.bad == story.spoiled[measure]
        assert found.recovered == story.clean[measure]
        assert found.difference == story.clean[measure] - story.spoiled[measure]
    untouched = row(story.after, "payments_captured", "fct_customer_days")
    assert untouched.difference == 0


def test_only_the_marts_of_the_source_are_measured_and_no_key(story: Story) -> None:
    """A customer's number is numeric and no measure."""
    rows = measure_table(story.after)
    assert {one.table for one in rows} == {"agg_daily_revenue", "fct_customer_days"}
    assert not any(one.measure.endswith("_id") for one in rows)
    assert {one.measure for one in rows if one.table == "agg_daily_revenue"} == {
        "orders", "units", "gross_amount", "gross_amount_eur",
    }  # fmt: skip


def test_the_bad_numbers_are_on_the_record_before_anything_is_done(story: Story) -> None:
    """Healing takes the evidence away."""
    kinds = [(one.kind, one.data.get("phase")) for one in story.before.timeline]
    assert kinds.index(("impact", BAD)) < kinds.index(("transition", "begun"))
    assert story.before.impact[BAD]["rows"] > 0
    assert story.before.impact[BAD]["keys"] > 0
    assert row(story.before, "orders").recovered is None
    assert row(story.before, "orders").difference is None


def test_a_difference_compares_the_same_dates(story: Story) -> None:
    """After a loss 30 dates were compared with 31, and a difference was shown against nothing."""
    whole = row(story.after, "orders")
    assert (whole.bad_dates, whole.recovered_dates) == (1, 1)
    assert whole.difference is not None
    assert replace(whole, bad=None, bad_dates=0).difference is None
    assert replace(whole, recovered_dates=2).difference is None
    lost = replace(whole, event_dates=(day(1), INJECTED), published_dates=2, bad_dates=1, recovered_dates=2)
    assert lost.cells == [f"{whole.published:,f}", f"{whole.bad:,f} (1 of 2 dates)", f"{whole.recovered:,f}", "–"]
    empty = replace(lost, event_dates=(day(1), INJECTED, day(9)), bad_dates=2)
    assert not [one for one in empty.cells if "date" in one], "no side has anything on the third date"


def test_it_is_recorded_once_in_each_life(story: Story) -> None:
    """A page is made many times; a failure that comes back has an impact of its own."""
    made, store = story.platform, IncidentStore(story.platform.engine)
    length = len(story.after.timeline)
    for phase in (BAD, RECOVERED):
        assert not record_impact(made.settings, made.engine, story.after, later(4), phase)
    assert not record_impact(
        made.settings, made.engine, story.before, later(4), RECOVERED
    )  # read before it was written
    assert len(store.get(story.after.id).timeline) == length
    assert store.broken_links() == []


def test_every_model_has_the_columns_that_the_lineage_says(story: Story) -> None:
    """Read from SQL by a parser that is not DuckDB: the warehouse itself is asked whether it is right."""
    for model, columns in column_lineage(ensure_manifest()).items():
        built = [name for (name,) in story.platform.query(f"select column_name from (describe {model})")]
        assert sorted(columns) == sorted(built), model


def test_the_columns_that_are_hit_follow_from_the_one_that_failed(story: Story) -> None:
    """Nulls in customer_id: rows are rejected, so sums change without being made of the column."""
    reached = reach_of(ensure_manifest(), story.before)
    assert story.before.column == "customer_id"
    assert reached.spoiled["stg_orders"]["customer_id"] == "direct"
    assert reached.spoiled["published/fct_customer_days"]["customer_id"] == "direct"
    assert reached.spoiled["published/agg_daily_revenue"]["orders"] == "indirect"
    assert "direct" not in reached.spoiled["published/agg_daily_revenue"].values()
    assert reached.published == ["agg_daily_revenue", "fct_customer_days"]
    assert {one.name for one in reached.exposures} == {"finance_dashboard", "fraud_feature_set"}
    assert "rec_silver__vs__gold__orders" in reached.checks
    assert reached.tables == reach(ensure_manifest(), "orders").tables


def test_an_incident_that_names_no_column_hits_all_of_its_root(story: Story) -> None:
    """A file that never came is missing in every column."""
    known = story.before.column
    try:
        story.before.column = None
        spoiled = reach_of(ensure_manifest(), story.before).spoiled
        story.before.column = "'; drop table orders"
        assert reach_of(ensure_manifest(), story.before).spoiled == spoiled
    finally:
        story.before.column = known
    assert set(spoiled["bronze/orders"].values()) == {"direct"}
    assert spoiled["stg_orders"]["amount"] == "direct"
    assert spoiled["published/agg_daily_revenue"]["gross_amount_eur"] == "direct"


@pytest.mark.parametrize(
    ("check", "roots"),
    [
        ("bronze_orders__batch_completeness", ["bronze/orders"]),
        ("agg_daily_revenue__possible_measures", ["agg_daily_revenue"]),
        ("dbt_build__orders", ["stg_orders"]),
        ("rec_silver__vs__gold__orders", ["stg_orders"]),
        ("hld_too_late__no_orders", ["stg_orders"]),
    ],
)
def test_an_incident_begins_in_data_and_not_in_what_watches_them(tmp_path: Path, check: str, roots: list[str]) -> None:
    """Nobody reads on from a reconciliation: taken for the root, it would reach no one."""
    engine = operations_engine(load_settings(tmp_path))
    observe(engine, [(1, result(check))], NOW)
    [incident] = IncidentStore(engine).all()
    assert root_nodes(ensure_manifest(), incident) == roots
    assert "finance_dashboard" in {one.name for one in reach_of(ensure_manifest(), incident).exposures}


def test_without_a_warehouse_or_publication_it_is_said_and_healing_goes_on(tmp_path: Path) -> None:
    """A lost warehouse is when healing is needed most."""
    home = BrokenHome(tmp_path)
    home.land(without=(2,))
    incident = home.incident("bronze_orders__batch_completeness", facts=missing(2))
    act(home.settings, home.engine, incident.id, later(1), "test")
    incident = home.incidents.get(incident.id)
    [entry] = [one for one in incident.timeline if one.kind == "impact"]
    assert "does not exist: `reliability run` makes" in entry.why
    assert "nothing is published" in entry.why
    assert (entry.data["rows"], entry.data["keys"], entry.data["event_dates"]) == (None, None, [str(home.day)])
    rows = measure_table(incident)
    assert rows
    assert {(one.published, one.bad, one.recovered, one.difference) for one in rows} == {(None, None, None, None)}
    assert incident.state is State.RECOVERING


def test_a_publication_that_cannot_be_read_costs_only_its_own_side(story: Story, tmp_path: Path) -> None:
    """One broken file, and one of a version before a measure was added; gold is whole and says what it says."""
    home = tmp_path / "home"
    shutil.copytree(story.platform.settings.home, home, symlinks=True)
    settings = load_settings(home)
    current = settings.published / "current"
    (current / "agg_daily_revenue" / "2026-01.parquet").write_bytes(b"PAR1 no")
    table = pq.read_table(current / "fct_customer_days" / "2026-01.parquet")
    pq.write_table(table.drop_columns(["sessions"]), current / "fct_customer_days" / "2026-01.parquet")
    engine = operations_engine(settings)
    observe(engine, [(100_000, result("stg_orders__row_count", 1))], NOW)
    incident = IncidentStore(engine).all()[-1]
    assert record_impact(settings, engine, incident, NOW, BAD)
    incident = IncidentStore(engine).get(incident.id)
    assert "agg_daily_revenue is published and cannot be read" in incident.timeline[-1].why
    revenue, customers = row(incident, "orders"), row(incident, "orders", "fct_customer_days")
    sessions = row(incident, "sessions", "fct_customer_days")
    assert (revenue.published, revenue.bad) == (None, customers.bad)
    assert revenue.bad is not None
    assert customers.published == customers.bad
    assert sessions.published is None
    assert sessions.bad is not None


def test_what_lands_nowhere_yet_is_measured_on_its_own_day(story: Story) -> None:
    """The event dates of a day of which nothing came are the day itself, and nothing is published of them."""
    made = story.platform
    incident = IncidentStore(made.engine).get(story.after.id)
    incident.partitions = [day(9)]
    [one] = [one for one in measures(made.settings, None, incident) if one.measure == "gross_amount"]
    assert (one.event_dates, one.published, one.warehouse) == ((day(9),), None, None)


def test_the_phase_follows_from_the_state(story: Story) -> None:
    """In between nobody can say which of the two the data are."""
    assert phase_of(story.before) is None
    assert phase_of(story.after) == RECOVERED


def test_the_radius_is_the_way_to_the_root_and_all_after_it(story: Story) -> None:
    """Roles are told apart: what is hit, what the hold has kept safe, what only leads there."""
    graph = radius(ensure_manifest(), story.before)
    roles = {node: graph.nodes[node]["role"] for node in graph}
    assert roles["stg_orders"] == "root"
    assert roles["bronze/orders"] == roles["source/orders"] == "before"
    assert roles["int_orders__deduplicated"] == roles["agg_daily_revenue"] == "affected"
    assert graph.graph["contained"]
    assert roles["published/agg_daily_revenue"] == roles["exposure/finance_dashboard"] == "shielded"
    assert "stg_payments" not in graph
    assert "bronze/admissions" not in graph
    found = nx.read_graphml(io.BytesIO(graphml(graph).encode()))
    assert dict(found.nodes(data=True)) == dict(flat_graph(graph).nodes(data=True))
    assert json.loads(found.nodes["stg_orders"]["columns"])["customer_id"] == "direct"


def test_the_picture_names_what_is_affected_and_is_the_same_each_time(story: Story) -> None:
    """It stands in a page that others read: well-formed, described, no script, no date, no id of its own."""
    graph = radius(ensure_manifest(), story.before)
    drawn = picture(graph)
    assert drawn == picture(graph)
    root = ET.fromstring(drawn)  # noqa: S314 - our own
    texts = " ".join(" ".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    for name in ("stg_orders", "agg_daily_revenue", "finance_dashboard", "Finance Analytics", "held: nothing bad"):
        assert name in texts
    description = root.find(f"{SVG}desc")
    assert description is not None
    assert description.text is not None
    named = set(re.split(r"; [a-z ]+: |^[a-z ]+: |, ", description.text)) - {""}
    assert named == {node for node in graph if graph.nodes[node]["role"] != "before"}
    assert not re.search(r"<script|<metadata| id=|#0201|202\d-", drawn.replace(story.before.id, ""))
    assert not list(root.iter("script"))


def test_a_hostile_name_in_the_picture_stays_text(story: Story) -> None:
    """An incident of ours names itself; a graph of somebody else's models may not."""
    graph = radius(ensure_manifest(), story.before)
    name = "</text><script>alert(1)</script>$x$ & 'y' \" " + "long" * 30
    graph.graph["incident"] = name
    graph.nodes["stg_orders"]["name"] = name
    root = ET.fromstring(picture(graph))  # noqa: S314 - our own
    assert not list(root.iter(f"{SVG}script"))
    title = root.find(f"{SVG}title")
    assert title is not None
    assert name in (title.text or "")


def run(*words: str) -> None:
    main(list(words))


def test_the_command_shows_it_in_every_form(story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a person, for a program, for a page, for a graph database."""
    home, incident = ["--home", str(story.platform.settings.home)], story.after.id[:8]
    run("incidents", "impact", incident, *home, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["published"] == ["agg_daily_revenue", "fct_customer_days"]
    [orders] = [
        one for one in document["measures"] if one["table"] == "agg_daily_revenue" and one["measure"] == "orders"
    ]
    assert Decimal(orders["difference"]) == story.clean["orders"] - story.spoiled["orders"]
    run("incidents", "impact", incident, *home)
    assert "agg_daily_revenue.gross_amount_eur" in capsys.readouterr().out
    for form, beginning in (("svg", "<svg"), ("graphml", "<?xml"), ("cypher", "MERGE")):
        file = tmp_path / f"impact.{form}"
        run("incidents", "impact", incident, *home, "--format", form, "--output", str(file))
        assert file.read_text().startswith(beginning)


def test_the_command_says_what_to_do_about_a_wrong_request(story: Story, tmp_path: Path) -> None:
    """One line on stderr, exit code 2, nothing written."""
    home = ["--home", str(story.platform.settings.home)]
    for words in (
        ["incidents", "impact", "INC-9999", *home],
        ["incidents", "impact", story.after.id, *home, "--output", str(tmp_path / "text")],
        ["incidents", "impact", story.after.id, *home, "--format", "svg", "--output", str(tmp_path / "no" / "a.svg")],
        ["lineage", "--column", "amount"],
        ["lineage", "--dataset", "nowhere"],
        ["lineage", "--dataset", "bronze_orders", "--column", "nope"],
        ["lineage", "--dataset", "bronze_orders", "--column", "amount", "--format", "cypher"],
    ):
        with pytest.raises(SystemExit) as stop:
            run(*words)
        assert stop.value.code == UsageError.exit_code
    assert list(tmp_path.iterdir()) == []


def test_lineage_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The same graph and columns as everywhere."""
    run("lineage", "--dataset", "stg_shipments", "--json")
    document = json.loads(capsys.readouterr().out)
    assert {"from": "bronze/shipments", "to": "stg_shipments", "rows": True} in document["feeds"]
    assert not any(one["id"] == "stg_orders" for one in document["datasets"])
    run("lineage", "--dataset", "bronze_orders", "--column", "amount", "--json")
    reaches = json.loads(capsys.readouterr().out)["reaches"]
    assert reaches["agg_daily_revenue"]["gross_amount_eur"] == "direct"
    run("lineage", "--dataset", "agg_daily_revenue", "--column", "units")
    assert "its value is made of: int_orders__deduplicated.quantity" in capsys.readouterr().out
    run("lineage")
    assert "exposure/fraud_feature_set" in capsys.readouterr().out
    run("lineage", "--format", "cypher")
    assert capsys.readouterr().out.startswith("MERGE")
