"""What changed since the last good run, in words."""

from collections.abc import Sequence

from reliability_platform.counted import counted
from reliability_platform.formats import landing_days, moment
from reliability_platform.incidents.changes import ChangedInput, WhatChanged
from reliability_platform.incidents.changes.concern import Concern
from reliability_platform.incidents.changes.what_changed import ComparedBuild
from reliability_platform.incidents.documents.blocks import Block, Bullets, Grid, Heading, Paragraph

TITLE = "What changed since the last good run"
ROWS = 20
"""Changes shown at most; who upgrades everything at once sees the most suspicious."""
_CONCERN = {
    Concern.LINEAGE: "what failed is made with it",
    Concern.EVERYTHING: "every table is made with it",
    Concern.ELSEWHERE: "nothing that failed is made with it",
}


def _build(one: ComparedBuild) -> str:
    days = sorted({one.first_day, one.last_day})
    return f"build {one.number} of {landing_days(days)} ({moment(one.began_at)})"


def _begun(one: ComparedBuild) -> str:
    if one.started_by is None:
        return ""
    run = f", in run {one.run}" if one.run else ""
    return f" {one.started_by} began it ({one.started_from}){run}."


def sentence(found: WhatChanged) -> str:
    """The answer; that nothing changed is one."""
    if found.bad is None:
        return (
            "No build lies between the last time that the check passed and its failure: nothing that is built changed. It is "
            "the data, or somebody changed tables or files without a build."
        )
    bad = f"The first bad one is {_build(found.bad)}."
    if found.good is None:
        return f"{bad}{_begun(found.bad)} There is no good build before it to compare it with."
    good = f"{_build(found.good)}, the last good one{'' if found.same_days else ' of the days before'}"
    if not found.is_known:
        return f"{bad} What changed since {good}, is not known: one of them was made by a release that kept no fingerprint."
    if not found.changes:
        return (
            f"{bad}{_begun(found.bad)} Nothing changed since {good}: models, macros, contracts, checks, reference tables, "
            "packages, settings, versions are the same. It is the data."
        )
    near = sum(one.concern is Concern.LINEAGE for one in found.changes)
    how_many = f"{near or 'none'} of them" if len(found.changes) > 1 else "it" if near else ""
    lineage = f"; what failed is made with {how_many}" if how_many else ""
    return f"{bad}{_begun(found.bad)} {counted(len(found.changes), 'thing')} changed since {good}{lineage}."


def _how(one: ChangedInput) -> str:
    values = f" from {one.before} to {one.after}" if one.before and one.after else ""
    since = ", and again since that build" if one.is_as_built is False else ""
    return f"{one.how}{values}{since}"


def commit(one: ChangedInput) -> str:
    """The last commit of a file in words; empty where git knows none."""
    if one.commit is None:
        return ""
    said = one.commit
    edited = "" if said.is_whole else "edited and not committed; before that "
    return f"{edited}{said.hash}, {said.date}, {said.author}: {said.subject}"


def rows(changes: Sequence[ChangedInput]) -> list[list[str]]:
    """For a table: what, how, why it is where it is, the last commit."""
    return [[f"{one.kind} {one.name}", _how(one), _CONCERN[one.concern], commit(one)] for one in changes]


COLUMNS = ("what", "how", "lineage", "last commit of the file")


def changes_section(found: WhatChanged | None) -> list[Block]:
    """The whole answer; nothing where nobody looked."""
    if found is None:
        return []
    blocks: list[Block] = [Heading(2, TITLE), Paragraph(sentence(found))]
    if found.changes:
        blocks.append(Grid([*COLUMNS], rows(found.changes[:ROWS])))
    if len(found.changes) > ROWS:
        blocks.append(Paragraph(f"And {counted(len(found.changes) - ROWS, 'less suspicious change')}."))
    return blocks


def changes_in_short(found: WhatChanged, limit: int = 3) -> list[Block]:
    """The answer and the first changes, for a screen."""
    items = [sentence(found)]
    for one in found.changes[:limit]:
        last = commit(one)
        items.append(f"{one.kind} {one.name}: {_how(one)}; {_CONCERN[one.concern]}{f'; {last}' if last else ''}.")
    if len(found.changes) > limit:
        items.append(f"{counted(len(found.changes) - limit, 'more change')}: the runbook has them.")
    return [Heading(2, TITLE), Bullets(items)]
