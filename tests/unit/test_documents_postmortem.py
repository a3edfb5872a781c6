"""Postmortem, messages, page and class page: they say what the facts say, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.classes import CLASSES, HARM_SEVERITY, Severity
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.documents import web
from reliability_platform.incidents.documents.action_items import propose_action_items, record_action_items
from reliability_platform.incidents.documents.blocks import Bullets, Grid, Heading, Paragraph, Picture, sections
from reliability_platform.incidents.documents.class_page import class_index, class_page
from reliability_platform.incidents.documents.facts import (
    FACTORS,
    LUCKY,
    SHOWN,
    WENT_WELL,
    Sentence,
    facts_of,
    sentences,
)
from reliability_platform.incidents.documents.incident_page import incident_page
from reliability_platform.incidents.documents.measures import was_seen
from reliability_platform.incidents.documents.messages import KINDS, messages
from reliability_platform.incidents.documents.postmortem import postmortem, why_not_earlier
from reliability_platform.incidents.documents.render import markdown, text
from reliability_platform.incidents.documents.situation import Readers
from reliability_platform.incidents.impact import Numbers, Reach, measure_table
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.incidents.triage import triage
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.documents import _first_judged, remedy_of
from reliability_platform.settings import load_settings
from tests.unit import failing
from tests.unit.documented import (
    HELD,
    HOSTILE,
    REACH,
    TERMS,
    compare,
    healed,
    hostile,
    opened,
    situation,
)
from tests.unit.failing import NOW, crashed, later, passed

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="10"><script>alert(1)</script></svg>'
BEFORE = [
    replace(passed("int_orders__deduplicated__amount_scale"), evaluated_at=NOW - timedelta(days=1)),
    replace(crashed("int_orders__deduplicated__amount_scale"), evaluated_at=NOW - timedelta(days=2)),
]


def test_the_postmortem_is_the_golden_one(tmp_path: Path) -> None:
    """It fills itself from the timeline: times, numbers, who did what, what let it happen."""
    incident = healed(tmp_path)
    blocks = postmortem(incident, situation(incident, 60, judged_before=BEFORE))
    compare("postmortem_distribution_shift.md", markdown(blocks))
    compare("postmortem_distribution_shift.html", web.page(blocks))


def test_the_messages_are_the_golden_ones(tmp_path: Path) -> None:
    """Short, for people who do not know the platform: what to avoid, until when, when the next word comes."""
    incident = hostile(tmp_path)
    found = messages(incident, situation(incident, readers=HELD))
    over = healed(tmp_path / "over")
    found += messages(over, situation(over, 60))
    compare("messages.txt", "\n".join(f"{one.kind} to {one.to}\n\n{text(one.blocks)}" for one in found))
    compare("messages.md", "\n".join(markdown(one.blocks) for one in found))
    assert [one.kind for one in found] == ["internal", "readers", "readers", "source", "all-clear"]
    assert {one.kind for one in found} == set(KINDS)


def test_the_page_is_the_golden_one(tmp_path: Path) -> None:
    """Everything about one incident in one file, with its picture, and no heading twice."""
    incident = hostile(tmp_path)
    blocks = incident_page(incident, situation(incident, readers=HELD), SVG)
    compare("incident_page.html", web.page(blocks))
    compare("incident_page.md", markdown(blocks))
    headings = [one.text for one in blocks if isinstance(one, Heading) and one.level < 3]
    assert len(headings) == len(set(headings))
    assert any(isinstance(one, Picture) for one in blocks)


def test_the_page_of_a_class_is_the_golden_one() -> None:
    """What to know before it happens."""
    compare("class_null_spike.md", markdown(class_page("null_spike", remedy_of("null_spike"), TERMS)))
    compare("class_null_spike.html", web.page(class_page("null_spike", remedy_of("null_spike"), TERMS)))


@pytest.mark.parametrize("failure_class", CLASSES)
def test_every_class_has_a_page_with_all_its_sections(failure_class: str) -> None:
    """Nothing is left to be filled in, and no section is empty."""
    blocks = class_page(failure_class, remedy_of(failure_class), TERMS)
    inner = sections(blocks)
    assert list(inner)[1:] == [
        "Severity", "Symptoms", "Likely causes", "Detection", "First five minutes", "Containment",
        "Questions to the warehouse", "Recovery", "Validation", "Escalation", "Prevention",
    ]  # fmt: skip
    assert all(len(found) > 1 for name, found in inner.items() if name)
    assert "{" not in markdown(blocks).replace("\\{", "")


def test_the_index_names_every_class() -> None:
    """A class that is not in the index is found by nobody."""
    found = markdown(class_index({name: remedy_of(name) for name in CLASSES}))
    assert all(kind.title in found for kind in CLASSES.values())


def said(rules: tuple[Sentence, ...], *facts: object) -> str:
    return " ".join(sentences(rules, facts_of(*facts)))  # type: ignore[arg-type]


def test_wrong_numbers_that_readers_saw_are_a_factor_and_those_that_they_did_not_see_went_well(tmp_path: Path) -> None:
    """The two must never be mixed up, and follow from what was measured alone."""
    spared = healed(tmp_path / "spared")
    seen = healed(tmp_path / "seen", published="1050000.00")
    assert [was_seen(one) for one in measure_table(spared)] == [False, False]
    assert [was_seen(one) for one in measure_table(seen)] == [True, False]
    assert "readers saw none of them" in said(WENT_WELL, spared, situation(spared))
    assert "1 measure had been published with a wrong value" in said(FACTORS, seen, situation(seen))
    assert "readers saw" not in said(WENT_WELL, seen, situation(seen))
    assert "published" not in said(FACTORS, spared, situation(spared))
    assert "Readers saw a wrong value of agg_daily_revenue.gross" in text(postmortem(seen, situation(seen)))
    assert "Readers saw no wrong value." in text(postmortem(spared, situation(spared)))


def test_nothing_is_said_about_numbers_that_nobody_measured(tmp_path: Path) -> None:
    """No measurement is neither good news nor bad."""
    incident = opened(tmp_path, "int_orders__deduplicated__amount_scale")
    found = text(postmortem(incident, situation(incident)))
    assert "was not measured" in found
    assert "Readers saw no wrong value" not in found
    assert not measure_table(incident)


def test_a_late_answer_is_a_factor_and_an_early_one_went_well(tmp_path: Path) -> None:
    """An hour is what a P1 grants."""
    early, late = healed(tmp_path / "a"), opened(tmp_path / "b", "int_orders__deduplicated__amount_scale")
    assert "Somebody answered 20 minutes after its detection, in time." in said(WENT_WELL, early, situation(early))
    assert "Nobody had answered" not in said(FACTORS, early, situation(early))
    assert "Nobody had answered" not in said(FACTORS, late, situation(late, 59))
    assert "Nobody had answered when the time for it was over" in said(FACTORS, late, situation(late, 61))


def test_what_had_judged_the_days_before_is_told(tmp_path: Path) -> None:
    """Why not earlier: passed on other data, or not judged at all."""
    incident = healed(tmp_path)
    facts = facts_of(incident, situation(incident, judged_before=BEFORE))
    words = " ".join(why_not_earlier(facts))
    assert "The first bad write began at 2026-02-01 01:30 UTC, 1 hour 30 minutes before detection." in words
    assert "passed at 2026-01-31 03:00 UTC" in words
    assert "not evaluated at 2026-01-30 03:00 UTC" in words
    assert "Had not judged" not in words
    alone = facts_of(incident, situation(incident, first_judged=["int_orders__deduplicated__amount_scale"]))
    assert "Had not judged these days before: int_orders" in " ".join(why_not_earlier(alone))


def test_a_check_has_not_judged_a_day_before_if_no_result_of_it_is_older(tmp_path: Path) -> None:
    """`late_share` was said not to have judged a day on which it had failed for another incident an hour before."""
    engine, old, fresh = (
        operations_engine(load_settings(tmp_path)),
        "stg_orders__missing_customer_id",
        "stg_orders__row_count",
    )
    store = CheckStore(engine)
    store.record([failing.result(old)])
    store.record([failing.result(old), failing.result(fresh)])
    observe(engine, store.after(1, 10), NOW)
    found = [name for one in IncidentStore(engine).all() for name in _first_judged(engine, one)]
    assert found == [fresh]


def test_luck_is_a_matter_of_facts(tmp_path: Path) -> None:
    """One check that saw it, no critical reader, a handful of rows."""
    incident = opened(tmp_path, "stg_orders__late_share")
    few = Numbers(100_000, 99_990, 0, 10, 0, 0, [])
    uncritical = replace(REACH, exposures=[one for one in REACH.exposures if not one.critical])
    lucky = said(LUCKY, incident, situation(incident, numbers=few, reach=uncritical))
    assert "Only 10 rows of these days could not be used" in lucky
    assert "One check alone saw it" in lucky
    assert "no check that failed holds a publication" in lucky
    assert "Only" not in said(LUCKY, incident, situation(incident))
    seen = healed(tmp_path / "seen", published="1050000.00")
    assert "no critical reader is downstream" in said(LUCKY, seen, situation(seen, reach=uncritical))
    assert "no critical reader is downstream" not in said(LUCKY, seen, situation(seen))


def test_the_question_of_the_triage_is_the_one_that_the_facts_look_for() -> None:
    """The postmortem reads the answer by the question's words."""
    found = triage("missing_data", shown_to=["finance_dashboard"])
    assert [step.answer for step in found.steps if step.question == SHOWN] == [True]
    assert found.severity is HARM_SEVERITY[CLASSES["missing_data"].harm] is Severity.P1


def test_an_open_incident_has_a_draft_and_no_all_clear(tmp_path: Path) -> None:
    """A finished postmortem of an incident that goes on, or an all-clear too early, is worse than none."""
    incident = opened(tmp_path, "stg_orders__row_count")
    blocks = postmortem(incident, situation(incident))
    assert isinstance(blocks[0], Heading)
    assert blocks[0].text.startswith("Draft · ")
    (early,) = messages(incident, situation(incident), "all-clear")
    assert "Not to be sent yet" in text(early.blocks)
    assert "may be used again" not in text(early.blocks)


def test_the_all_clear_does_not_free_what_another_incident_holds(tmp_path: Path) -> None:
    """One failure is over; the day may still be held for a second one."""
    incident = opened(tmp_path, "stg_orders__row_count")
    store = IncidentStore(operations_engine(load_settings(tmp_path)))
    store.move(incident.id, State.RESOLVED, later(5), "somebody", "mended")
    held = Readers("v000003", "v000002", [], {failing.day(5): ["stg_orders__missing_amount failed"]})
    (made,) = messages(store.get(incident.id), situation(incident, readers=held))
    assert "Still held back, for another incident: 2026-01-05." in text(made.blocks)
    assert "may be used again" not in text(made.blocks)


def test_a_false_alarm_is_called_one(tmp_path: Path) -> None:
    """Nobody needs to look at numbers that were right."""
    incident = opened(tmp_path, "int_orders__deduplicated__volume")
    store = IncidentStore(operations_engine(load_settings(tmp_path)))
    store.move(incident.id, State.FALSE_ALARM, later(5), "somebody", "a campaign")
    (made,) = messages(store.get(incident.id), situation(incident))
    assert "It was a false alarm: nothing was wrong with the data." in text(made.blocks)


def test_each_owner_of_readers_gets_one_message_with_their_tables_only(tmp_path: Path) -> None:
    """Who reads revenue need not hear of funnels; who owns two dashboards hears once."""
    incident = opened(tmp_path, "stg_orders__row_count")
    twice = Reach(REACH.tables, REACH.published, [*REACH.exposures, replace(REACH.exposures[0], name="second")])
    reads = {"finance_dashboard": ["agg_daily_revenue"], "second": [], "operations_report": ["agg_daily_funnel"]}
    finance, operations = messages(incident, situation(incident, reach=twice, reads=reads), "readers")
    assert "finance_dashboard and second" in text(finance.blocks)
    assert "Please do not report or act on agg_daily_revenue" in text(finance.blocks)
    assert "agg_daily_revenue" not in text(operations.blocks)


def test_action_items_are_proposed_once_recorded_once_and_tracked_until_done(tmp_path: Path) -> None:
    """Writing the postmortem again must not double them; what is done stays done."""
    incident = healed(tmp_path, published="1050000.00", answered_after=90)
    engine = operations_engine(load_settings(tmp_path))
    store = IncidentStore(engine)
    now = situation(incident, 60)
    proposals = propose_action_items(incident, facts_of(incident, now))
    assert [one.number for one in proposals] == list(range(1, len(proposals) + 1))
    assert proposals[0].owner == "commerce-platform@example.com"
    assert {one.what for one in proposals} >= {
        "Find a check that fails before publication for this case",
        "Run the checks that found it nearer to the write",
    }
    assert record_action_items(store, incident.id, proposals, later(61), "somebody") == [
        one.number for one in proposals
    ]
    assert record_action_items(store, incident.id, proposals, later(62), "somebody") == []
    known = store.get(incident.id)
    assert [(one.number, one.what) for one in known.action_items] == [(one.number, one.what) for one in proposals]
    assert propose_action_items(known, facts_of(known, now)) == []
    store.append(incident.id, later(93), HOSTILE, "action_item", "Done.", {"number": 1, "done": True})
    table = sections(postmortem(store.get(incident.id), now))["Action items"][1]
    assert isinstance(table, Grid)
    assert [row[-1] for row in table.rows] == ["done 2026-02-01 04:33 UTC", *["open"] * (len(proposals) - 1)]


def test_a_postmortem_names_what_was_done_and_not_what_the_policy_would_have_done(tmp_path: Path) -> None:
    """ "Healed by: ask the source for the batches again" stood under an incident that had passed without any action."""

    def healed_by(incident: Incident) -> str:
        grids = [one for one in postmortem(incident, situation(incident, 60)) if isinstance(one, Grid)]
        return next(row[1] for one in grids for row in one.rows if row[0] == "healed by")

    assert healed_by(healed(tmp_path)) == "Asked orders again."
    other = opened(tmp_path / "other", "bronze_orders__batch_completeness")
    assert healed_by(other).startswith("not healed yet; the policy is to ask the source")
    store = IncidentStore(operations_engine(load_settings(tmp_path / "other")))
    store.move(other.id, State.RESOLVED, later(9), "incident sensor", "What had failed has passed since.")
    assert healed_by(store.get(other.id)) == "no action of the platform"


def test_the_owner_of_a_source_is_asked_nothing_about_our_own_failures(tmp_path: Path) -> None:
    """Each killed build asked the owner of a source what they had changed, "on landing days 2026-01-05"."""
    ours = opened(tmp_path, "dbt_build__ended")
    assert {one.kind for one in messages(ours, situation(ours))} == {"internal", "readers"}
    (asked_for,) = messages(ours, situation(ours), "source")
    assert "nothing is asked of you" in markdown(asked_for.blocks)
    theirs = opened(tmp_path / "theirs", "bronze_orders__batch_completeness")
    (told,) = messages(theirs, situation(theirs), "source")
    assert "Please tell us what changed" in markdown(told.blocks)
    assert "landing day 2026-01-05" in markdown(told.blocks)


def test_a_postmortem_blames_nobody(tmp_path: Path) -> None:
    """Names stand in the timeline, where they say who knows more; sentences speak of what let it happen."""
    incident = healed(tmp_path)
    blocks = postmortem(incident, situation(incident))
    for name, found in sections(blocks).items():
        if not name.startswith("Timeline"):
            words = [one.text for one in found if isinstance(one, Paragraph)]
            words += [item for one in found if isinstance(one, Bullets) for item in one.items]
            assert not any("rm -rf" in one for one in words), name


def test_a_table_whose_rows_are_wider_than_its_header_is_refused() -> None:
    """The index of classes showed titles under "severity" and severities under "nature"."""
    with pytest.raises(ValueError, match="of 3 cells under a header of 2"):
        Grid(["class", "severity"], [["pii_leak", "Personal data in free text", "P0"]])
