"""The acts that somebody may ask for, each with the least role that may: one table, for the API and whatever else acts."""

from enum import StrEnum


class Role(StrEnum):
    """Each may do all that the ones before it may."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def means(self) -> str:
        """Whom it is for."""
        return _MEANS[self]


_MEANS = {
    Role.VIEWER: "looks at everything, and reports what looks wrong; personal data are masked for all roles",
    Role.RESPONDER: "is on call: decides about incidents, and keeps landing days from consumers",
    Role.OPERATOR: "runs the pipeline: runs, backfills, healing, replays, injected failures, pauses, days that are let go; reads who did what",
    Role.ADMIN: "takes away and overrules: discards, withdraws a table, goes back a version, lets a backfill through the guard",
}


class Act(StrEnum):
    """What somebody may ask for."""

    LOOK = "look at anything"
    REPORT = "report something wrong, which opens an incident"
    DECIDE = "acknowledge, assign, note, resolve, reopen, close an incident or call it a false alarm"
    AUDIT = "read who did what"
    HOLD = "keep a landing day from consumers"
    RELEASE = "let a landing day go that somebody holds"
    PAUSE = "pause a source or a published table, or let it go on"
    RUN = "run the pipeline, or a backfill that the guard does not object to"
    HEAL = "approve the action of an incident"
    REPLAY = "replay what is in quarantine"
    SIMULATE = "inject a failure into a simulated source or a recording"
    OVERRULE = "let a backfill through to which the guard objects"
    DISCARD = "give up what is in quarantine, without a way back"
    ROLL_BACK = "take consumers back to the version before"
    WITHDRAW = "take a published table from consumers"


LEAST_ROLE: dict[Act, Role] = {
    Act.LOOK: Role.VIEWER,
    Act.REPORT: Role.VIEWER,
    Act.DECIDE: Role.RESPONDER,
    Act.AUDIT: Role.OPERATOR,
    Act.HOLD: Role.RESPONDER,
    Act.RELEASE: Role.OPERATOR,
    Act.PAUSE: Role.OPERATOR,
    Act.RUN: Role.OPERATOR,
    Act.HEAL: Role.OPERATOR,
    Act.REPLAY: Role.OPERATOR,
    Act.SIMULATE: Role.OPERATOR,
    Act.OVERRULE: Role.ADMIN,
    Act.DISCARD: Role.ADMIN,
    Act.ROLL_BACK: Role.ADMIN,
    Act.WITHDRAW: Role.ADMIN,
}


def may(role: Role, act: Act) -> bool:
    """Whether somebody of this role may do this."""
    order = list(Role)
    return order.index(role) >= order.index(LEAST_ROLE[act])
