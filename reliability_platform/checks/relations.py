"""Checks of the rules that contracts declare between columns, rows and sources.

A rule of rows has rejected the rows that break it, in staging; its check says when they are too many. A rule that compares
rows is asked of silver, after all sources are built: one check tells that any row breaks it, another holds the day where
more than one percent do. Each day is judged by what is there of all sources, whatever came first.
"""

from reliability_platform.checks.native_check import NativeCheck
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.quality import day_query
from reliability_platform.contracts.relations import Relation, RelationKind
from reliability_platform.parquet import identifier, literal
from reliability_platform.profiles.metrics import SEEN_DAYS, silver

IMPACT = "_impact"
"""End of the name of the check that holds a day."""


def relation_check(source: str, relation: Relation) -> str:
    """The check that tells that a rule does not hold."""
    if relation.kind is RelationKind.LEADS_TO:
        return f"{silver(source)}__{relation.name}"
    table = f"stg_{source}" if relation.of_rows else silver(source)
    return f"{table}__relation_{relation.name}"


def relation_checks(contract: Contract, limit_percent: float, live_days: str) -> dict[str, NativeCheck]:
    """The checks of a source's rules. A rule of rows is judged on the days of `live_days`."""
    source = contract.source
    found = {}
    for one in contract.relations:
        name = relation_check(source, one)
        days = _held_on(one, live_days if one.of_rows else _silver_days(source))
        if one.of_rows:
            found[name] = _of_rows(source, one, limit_percent, days)
        elif one.kind is RelationKind.LEADS_TO:
            found[name] = _leads_to(source, one, limit_percent)
        elif one.kind is RelationKind.QUERY:
            found[name] = _of_query(source, one, days)
        else:
            broken = _broken_by_day(contract, one)
            found[name] = NativeCheck(
                f"select landing_date, n, null from ({broken})", 0, "row|rows breaks|break the rule", subject=days
            )
            total = f"select landing_date, count(*) as n from {silver(source)} where landing_date between $first and $last group by all"
            found[f"{name}{IMPACT}"] = NativeCheck(
                f"select landing_date, 100.0 * broken.n / total.n, null from ({broken}) as broken "
                f"join ({total}) as total using (landing_date)",
                limit_percent,
                "% of the rows break the rule",
                subject=days,
            )
    return found


def _held_on(relation: Relation, days: str) -> str:
    """The days on which a rule is to be judged."""
    return f"from ({days}) where {_since(relation)}" if relation.since is not None else days


def _since(relation: Relation, row: str = "") -> str:
    return "true" if relation.since is None else f"{row}landing_date >= date '{relation.since}'"


def _silver_days(source: str) -> str:
    return f"select distinct landing_date from {silver(source)} where landing_date between $first and $last"


def _of_rows(source: str, relation: Relation, limit_percent: float, days: str) -> NativeCheck:
    broken = f"list_contains(string_split(reject_reasons, ','), {literal(relation.code)})"
    return NativeCheck(
        f"select landing_date, 100.0 * count(*) filter (where {broken}) / count(*), "
        f"struct_pack(rejected_for := [{literal(relation.code)}]) from stg_{source} "
        "where landing_date between $first and $last and not is_superseded and disposition <> 'discarded' "
        f"and {_since(relation)} group by landing_date",
        limit_percent,
        "% of the rows break the rule",
        subject=days,
    )


def _of_query(source: str, relation: Relation, days: str) -> NativeCheck:
    return NativeCheck(
        f"""
        with answers as (
            select landing_date, ({day_query(relation, silver(source), "days.landing_date")}) as answer from ({days}) as days
        )
        select landing_date, case when answer is null then null when {relation.accepted} then 0
            else coalesce(nullif(abs(answer), 0), 1) end, null
        from answers
        """,
        0,
        "is|are what the query answers, against the rule",
        subject=days,
    )


def _broken_by_day(contract: Contract, relation: Relation) -> str:
    """SQL: the landing days of the window with rows that break a rule between rows, and how many do (`n`)."""
    return _BY_KIND[relation.kind](contract, relation)


def _names(table: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{table}.{identifier(one)}" for one in columns)


def _known(table: str, columns: tuple[str, ...]) -> str:
    return " and ".join(f"{table}.{identifier(one)} is not null" for one in columns)


def _determines(contract: Contract, relation: Relation) -> str:
    """Rows of a day that do not agree with another row of the two weeks up to it: which of the two is wrong is not said."""
    table, key, last = silver(contract.source), relation.columns[:-1], identifier(relation.columns[-1])
    same = " and ".join(f"own.{identifier(one)} = other.{identifier(one)}" for one in key)
    return f"""
        with recent as (
            select landing_date, {_names("kept", relation.columns)}, count(*) as n from {table} as kept
            where landing_date between $first - {SEEN_DAYS - 1} and $last and {_known("kept", relation.columns)}
            group by all
        ), several as (
            select {_names("recent", key)} from recent group by all having min({last}) <> max({last})
        ), apart as (
            select recent.* from recent semi join several using ({", ".join(map(identifier, key))})
        )
        select landing_date, sum(n) as n from apart as own
        where landing_date between $first and $last and {_since(relation)} and exists (
            select 1 from apart as other
            where {same} and other.{last} <> own.{last}
                and other.landing_date between own.landing_date - {SEEN_DAYS - 1} and own.landing_date
        )
        group by landing_date
    """


def _at_most_one(contract: Contract, relation: Relation) -> str:
    """All rows but the first of each, on whatever days the others came."""
    key = ", ".join(map(identifier, relation.columns))
    where = " and ".join([_known("kept", relation.columns), *(one.sql("kept") for one in relation.where)])
    return f"""
        with meant as (
            select {key}, landing_date, batch_id, row_number from {silver(contract.source)} as kept where {where}
        ), touched as (
            select distinct {key} from meant where landing_date between $first and $last
        ), ranked as (
            select landing_date, row_number() over (partition by {key} order by landing_date, batch_id, row_number) as place
            from meant semi join touched using ({key})
        )
        select landing_date, count(*) as n from ranked
        where place > 1 and landing_date between $first and $last and {_since(relation)} group by landing_date
    """


def _same_as(contract: Contract, relation: Relation) -> str:
    own, by = map(identifier, relation.columns)
    other = CONTRACTS[relation.other_source]
    return f"""
        select own.landing_date, count(*) as n
        from {silver(contract.source)} as own
        join {silver(other.source)} as other on own.{by} = other.{identifier(other.key[0])}
        where own.landing_date between $first and $last and {_since(relation, "own.")}
            and own.{own} <> other.{identifier(relation.other_column)}
        group by own.landing_date
    """


NAMED_ROWS = 5
"""So many of the rows that lead nowhere are named."""


def _leads_to(source: str, relation: Relation, limit_percent: float) -> NativeCheck:
    """Rows of a day that lead to nothing which the other source has delivered on any day. What came and was rejected there is
    known, and that source's own matter. A day is judged once the other one has delivered on it or later: what a weekly list
    knows on Sunday, rows of Tuesday may name.
    """
    own, value = identifier(relation.columns[0]), identifier(relation.other_column)
    there = f"from stg_{relation.other_source} where not is_superseded and disposition <> 'discarded'"
    days = f"landing_date between $first and $last and {_since(relation)} and {own} is not null"
    other = "null" if relation.other_source == source else literal(relation.other_source)
    return NativeCheck(
        f"""
        with own as (
            select landing_date, batch_id, row_number, {own} as value from {silver(source)} where {days}
        ), known as (
            select distinct {value} as value {there} and {value} in (select value from own)
        ), led as (
            select *, value not in (select value from known) as lost from own
        )
        select landing_date, 100.0 * count(*) filter (where lost) / count(*), struct_pack(
            leads_to := case when bool_or(lost) then {other} end,
            leading_nowhere := nullif(count(*) filter (where lost), 0),
            named_rows := list(struct_pack(batch := batch_id, number := row_number) order by batch_id, row_number)
                filter (where lost)[:{NAMED_ROWS}]
        )
        from led group by landing_date
        """,
        limit_percent,
        "% of the rows lead nowhere",
        subject=f"select distinct landing_date from {silver(source)} where {days} "
        f"and landing_date <= (select max(landing_date) {there})",
    )


_BY_KIND = {
    RelationKind.DETERMINES: _determines,
    RelationKind.AT_MOST_ONE: _at_most_one,
    RelationKind.SAME_AS: _same_as,
}
