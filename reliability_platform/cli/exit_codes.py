"""Which command ends with which exit code for what. What the codes mean for every command is in `errors.ExitCode`.

The help of each command and the page of the command line are made from this table.
"""

import click

from reliability_platform.errors import ExitCode

_HELD = "a landing partition is held afterwards, or something failed on the way"
_FROZEN = "a change of a dataset without error budget is frozen, or the backfill guard objects to something else"
_MISSED = "an objective is missed"

ENDS_WITH: dict[ExitCode, dict[str, str]] = {
    ExitCode.NOT_HEALED: {
        "demo": "a fault was not detected, contained and healed, an incident lacks a fault, a row is unaccounted for, or a "
        "published table is not that of a month without failures",
        "run": _HELD,
        "backfill": _HELD,
        "publish": "a landing partition is held",
        "heal": "an incident stays open, something failed on the way, a file is damaged, or a landing day lacks a result",
        "verify": "a published table is not what was audited, or not what a run without failures gives, any file of the home is "
        "damaged, or a landing day lacks a result",
        "restore": "a landing partition is held afterwards, or something stays damaged",
        "contract check": "a file would be refused, or its landing day held (with --strict, if any row would be rejected)",
        "contract diff": "a change is incompatible",
        "checks import": "a result belongs to no table or landing day that is known",
        "generate": "with --check, a generated file is not as the contracts say, or a mart shows personal data without saying so",
        "quarantine replay": "something that was meant was not replayed, an incident stays open, or something failed",
        "incidents audit": "a timeline was changed",
        "snapshot verify": "a content is damaged",
        "drill table-loss": _MISSED,
        "drill warehouse-loss": _MISSED,
        "drill region-loss": _MISSED,
        "drill home-loss": f"{_MISSED}, or the snapshots lie in the home: they would be lost with it",
        "drill source-outage": _MISSED,
        "drill list": "a drill or an experiment is overdue",
        "rehearse": "a hypothesis was refuted, or the home is not in the steady state that the experiment begins with",
        "scorecard": "something keeps the run from being proved",
        "campaign": "a fault of medium or large size survived, a control raised an alarm, a kill was not survived, or a drill "
        "missed an objective",
        "alerts status": "a channel is failing",
        "alerts test": "a channel did not take it",
        "alerts send": "something was not delivered",
        "mutate": "the score is below --fail-under, or a mutant survives that was killed in the report of --baseline",
        "openlineage send": "an event waits or was refused",
        "openlineage validate": "an event is invalid",
    },
    ExitCode.USAGE: {"run": _FROZEN, "backfill": _FROZEN},
    ExitCode.ENVIRONMENT: {"doctor": "anything is wrong"},
    ExitCode.INTERRUPTED: {"sources serve": "Ctrl-C stops it", "dev": "Ctrl-C stops it", "serve": "Ctrl-C stops it"},
}


def tell_exit_codes(words: str, command: click.Command) -> None:
    """Let the help of a command, and of those below it, say for what it ends with other codes than any command does."""
    said = [f"{code.value} if {when[words]}" for code, when in ENDS_WITH.items() if words in when]
    if said:
        command.epilog = f"Exits with {', with '.join(said)}."
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            tell_exit_codes(f"{words} {name}", below)
