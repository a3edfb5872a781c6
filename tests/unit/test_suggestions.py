"""Rules proposed from the past: what was planted is found, what one row contradicts is not, and the contract keeps its words."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from reliability_platform.cli.main import main
from reliability_platform.contracts.contract import Cadence, Column, Contract
from reliability_platform.contracts.odcs import read_contracts
from reliability_platform.contracts.relations import LabelCondition, Relation, RelationKind
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.settings import CONTRACTS_FOLDER
from reliability_platform.suggestions.evidence import Evidence, RuleProposal
from reliability_platform.suggestions.into_contract import take
from reliability_platform.suggestions.proposals import Suggestions, chosen
from reliability_platform.suggestions.redundancy import few_and_strong
from reliability_platform.suggestions.search import Search, search
from tests.ground import day

ROWS = 30_000
"""Of 20 landing days."""
COLUMNS = {
    "sale": ("BIGINT", "i"),
    "buyer": ("BIGINT", "i // 2"),
    "shop": ("BIGINT", "hash(i // 2) % 40"),
    "city": ("VARCHAR", "'city ' || (hash(i // 2) % 40) % 7"),
    "status": ("VARCHAR", "case when i % 2 = 0 then 'paid' when hash(i) % 3 = 0 then 'open' else 'failed' end"),
    "net": ("DECIMAL(12,2)", "(hash(i, 1) % 9000)::int / 100.0"),
    "tax": ("DECIMAL(12,2)", "(hash(i, 2) % 2000)::int / 100.0"),
    "gross": ("DECIMAL(12,2)", "(hash(i, 1) % 9000)::int / 100.0 + (hash(i, 2) % 2000)::int / 100.0"),
    "year": ("INTEGER", "2026"),
    "sold": ("TIMESTAMP", "timestamp '2026-01-01' + to_minutes(i * 2)"),
    "sent": ("TIMESTAMP", "case when hash(i, 3) % 10 > 0 then timestamp '2026-01-01' + to_minutes(i * 2 + (hash(i, 4) % 5000)::int) end"),
    "seen": ("TIMESTAMP", "case when hash(i, 3) % 10 > 1 then timestamp '2026-01-01' + to_minutes(i * 2 + 5000 + (hash(i, 5) % 5000)::int) end"),
    "sender": ("VARCHAR", "case when hash(i, 3) % 10 > 0 then 'who ' || hash(i, 6) % 1000 end"),
    "reason": ("VARCHAR", "case when i % 2 = 1 and hash(i) % 3 <> 0 then 'reason ' || hash(i, 7) % 30 end"),
}  # fmt: skip
"""Name → type, and SQL of the number of a row."""
SALES = Contract(
    source="sales",
    key=("sale",),
    event_time="sold",
    columns=tuple(
        Column(name, kind, required=name in ("sale", "sold"), valid_values=("paid", "open", "failed") if name == "status" else ())
        for name, (kind, _) in COLUMNS.items()
    ),
    cadence=Cadence(),
    deadline_minutes=60,
    owner="desk",
    critical=False,
)  # fmt: skip
EXPECTED = {
    "sold <= sent",
    "sent <= seen",
    "gross = net + tax",
    "(sent IS NULL) = (sender IS NULL)",
    "seen is empty where sent is empty",
    "reason is filled where status is failed",
    "reason is empty where status is open or paid",
    "shop → city",
    "buyer → shop",
    "at most one row per buyer, status",
}


@pytest.fixture
def sales() -> Iterator[duckdb.DuckDBPyConnection]:
    """The past of a source with ten rules in it."""
    with duckdb.connect() as connection:
        said = ", ".join(f"({sql})::{kind} as {name}" for name, (kind, sql) in COLUMNS.items())
        connection.execute(
            f"create table int_sales__deduplicated as select {said}, date '2026-01-01' + (i // {ROWS // 20})::int as landing_date, "
            f"'b' as batch_id, i as row_number from range({ROWS}) as rows(i)"
        )
        yield connection


def texts(found: Search, contract: Contract = SALES) -> set[str]:
    """The proposals for people, as few as they are shown."""
    return {one.relation.text.replace("is null", "IS NULL") for one in few_and_strong(found.proposals, contract)}


def test_what_always_held_is_proposed_and_what_follows_or_says_nothing_is_not(sales: duckdb.DuckDBPyConnection) -> None:
    """A year below every amount is no rule, and `sold <= seen` follows from two others."""
    found = search(sales, SALES, "true")
    assert texts(found) == EXPECTED
    assert all(one.evidence.bound <= 0.005 and one.evidence.days >= 14 for one in found.proposals)


BREAKING = {
    "sold <= sent": "sent = sold - interval 1 minute where sale = 77",
    "gross = net + tax": "gross = gross + 0.01 where sale = 77",
    "(sent IS NULL) = (sender IS NULL)": "sender = null where sale = (select min(sale) from int_sales__deduplicated where sent is not null)",
    "reason is empty where status is open or paid": "reason = 'none' where sale = 78",
    "shop → city": "city = 'elsewhere' where sale = 77",
    "at most one row per buyer, status": "status = 'paid' where sale = 77",
}


@pytest.mark.parametrize("rule", BREAKING)
def test_one_row_in_thirty_thousand_takes_a_proposal_away(rule: str, sales: duckdb.DuckDBPyConnection) -> None:
    """Candidates are looked for in a sample; each is asked of all rows."""
    sales.execute(f"update int_sales__deduplicated set {BREAKING[rule]}")
    assert rule not in texts(search(sales, SALES, "true", sample_rows=3_000))


def test_what_a_contract_declares_is_not_proposed_again_and_few_days_carry_nothing(
    sales: duckdb.DuckDBPyConnection,
) -> None:
    """A proposal of last week would come back for ever; thirteen days are one fortnight's habit."""
    order = Relation("known", RelationKind.IN_ORDER, ("sold", "sent"))
    declared = replace(SALES, relations=(order,))
    assert texts(search(sales, SALES, "true"), declared) == texts(search(sales, SALES, "true")) - {"sold <= sent"}
    assert search(sales, SALES, "landing_date < date '2026-01-14'").proposals == []
    assert search(sales, SALES, "false").rows == 0


def test_wide_tables_take_bounded_time_and_say_what_was_left_out() -> None:
    """300 columns have 89,700 ordered pairs: the search must not ask for each."""
    columns = tuple(
        Column(f"c{n}", kind, required=n == 0)
        for n, kind in enumerate(["BIGINT", *(["DOUBLE", "VARCHAR", "TIMESTAMP", "INTEGER"] * 75)][:300])
    )
    wide = replace(SALES, source="wide", key=("c0",), event_time="c3", columns=columns)
    values = {"BIGINT": "i", "DOUBLE": "hash(i, {n}) % 1000 / 7.0", "VARCHAR": "'v' || hash(i, {n}) % 50", "TIMESTAMP": "timestamp '2026-01-01' + to_minutes((hash(i, {n}) % 9999)::int)", "INTEGER": "(hash(i, {n}) % 99)::int"}  # fmt: skip
    said = ", ".join(f"({values[one.type].format(n=n)})::{one.type} as {one.name}" for n, one in enumerate(columns))
    with duckdb.connect() as connection:
        connection.execute(
            f"create table int_wide__deduplicated as select {said}, date '2026-01-01' + (i % 20)::int as landing_date, 'b' as batch_id, "
            "i as row_number from range(1000) as rows(i)"
        )
        found = search(connection, wide, "true")
    assert few_and_strong(found.proposals, wide) == []
    assert [one.split(" ")[0] for one in found.notes] == ["of", "of", "of"]


def test_the_bound_is_that_of_clopper_and_pearson_for_all_candidates_together() -> None:
    """None of n: the upper limit p has (1 - p)^n = error / candidates; 3/n for one candidate at 95 %."""
    one = Evidence(rows=1_000, days=20, unrelated=0.5, candidates=1)
    assert one.bound == pytest.approx(3 / 1_000, rel=0.01)
    many = replace(one, candidates=500)
    assert (1 - many.bound) ** 1_000 == pytest.approx(0.05 / 500)
    assert (one.is_enough, many.is_enough, replace(one, rows=0).bound) == (True, False, 1.0)
    assert not replace(one, unrelated=0.01).is_enough


TAKEN = [
    Relation("in_order", RelationKind.IN_ORDER, ("ordered_at", "promised_at")),
    Relation("empty", RelationKind.EMPTY_WHERE, ("carrier",), (LabelCondition("status", ("shipped", "off: #1")),)),
    Relation("filled", RelationKind.PRESENT_WHERE, ("carrier",), (LabelCondition("order_id", (None,)),)),
    Relation("equal", RelationKind.EVERY_ROW, ("order_id", "shipment_id"), sql='live."order_id" = live."shipment_id"'),
    Relation("determined", RelationKind.DETERMINES, ("order_id", "carrier")),
    Relation("once", RelationKind.AT_MOST_ONE, ("order_id",), (LabelCondition("status", ("shipped",)),)),
    Relation("sum", RelationKind.SUM_OF, ("weight_grams", "order_id", "shipment_id")),
    Relation("same", RelationKind.SAME_AS, ("carrier", "order_id"), other_source="orders", other_column="channel"),
]


def test_chosen_rules_stand_in_the_contract_as_they_are_meant_and_every_other_line_stays(tmp_path: Path) -> None:
    """Whoever keeps comments and order in his contract finds them after a second rule, too."""
    path = tmp_path / "shipments.yml"
    path.write_bytes((CONTRACTS_FOLDER / "shipments.yml").read_bytes())
    before = path.read_text().splitlines()
    proposals = [RuleProposal(one, Evidence(5_000, 30, 0.5, 10)) for one in TAKEN]
    take(path, "shipments", proposals[:1])
    take(path, "shipments", proposals[1:])
    [contract] = read_contracts(path)
    assert sorted(contract.relations, key=lambda one: one.name) == sorted(TAKEN, key=lambda one: one.name)
    after = path.read_text().splitlines()
    assert [one for one in after if one in before] == before
    assert sum("# kept by 5,000 rows of 30 landing days" in one for one in after) == len(TAKEN)
    assert few_and_strong(proposals, contract) == []


def test_what_cannot_be_added_to_is_left_as_it_is_and_the_lines_are_said(tmp_path: Path) -> None:
    """A list on one line has no place for a comment; and a name that stands there already is no second rule."""
    path = tmp_path / "shipments.yml"
    plain = (CONTRACTS_FOLDER / "shipments.yml").read_text()
    proposal = RuleProposal(TAKEN[0], Evidence(5_000, 30, 0.5, 10))
    path.write_text(
        plain.replace("    physicalType: table\n", "    physicalType: table\n    quality: [{type: text}]\n")
    )
    for _ in range(2):
        there = path.read_text()
        with pytest.raises(UsageError, match=r"two rules are called|Add under quality of shipments:\n.*in_order"):
            take(path, "shipments", [proposal, proposal])
        assert path.read_text() == there
        path.write_text(plain)


def test_numbers_that_are_none_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written, and the message says what to do."""
    with pytest.raises(SystemExit) as left:
        main(["contract", "suggest", "orders", "--take", "1,x", "--home", str(tmp_path)])
    assert left.value.code is ExitCode.USAGE
    assert "'1,x' is no list of numbers: write them as 1,3." in capsys.readouterr().err
    found = Suggestions("orders", day(1), day(20), 20, 0, 1, 1, (RuleProposal(TAKEN[0], Evidence(1, 1, 1, 1)),), ())
    assert chosen(found, [1, 1]) == list(found.proposals)
    with pytest.raises(UsageError, match="There is no proposal 2: there are 1 to 1"):
        chosen(found, [1, 2])
