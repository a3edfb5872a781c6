"""Tells of budgets that burn, on the timeline of the incident that made them: there everybody who works on it hears of it."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from reliability_platform.counted import counted
from reliability_platform.formats import joined
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.slo.objectives import BurnAlert
from reliability_platform.slo.status import SloStatus

ACTOR = "objectives sensor"


def _burning(status: SloStatus) -> Iterator[tuple[str, str, BurnAlert]]:
    """Incident, objective and alert: of all that spent the budget the newest, by which the limit was passed."""
    for one in status.objectives:
        for alert in one.burning:
            since = one.last_day - timedelta(days=alert.long - 1)
            told = [day for day in one.bad_days if day.incidents and day.day >= since]
            for incident in told[-1].incidents if told else ():
                yield incident, f"{one.objective.dataset} {one.objective.name}", alert
    if status.runs is not None:
        for alert in status.runs.burning:
            for incident in status.runs.incidents[:1]:
                yield incident, "success of runs", alert


def note_burns(store: IncidentStore, status: SloStatus, now: datetime) -> list[str]:
    """Append what burns by an incident, the fastest alert alone, once; the ids of the incidents concerned. What burns slower
    after that is no news, what burns faster is.

    A burn of which no incident is known (a day that was shown late, say) is not told: `reliability slo` has it.
    """
    found: dict[tuple[str, BurnAlert], list[str]] = defaultdict(list)
    for incident, objective, alert in _burning(status):
        found[incident, alert].append(objective)
    noted = []
    for (incident, alert), objectives in sorted(found.items(), key=lambda one: -one[0][1].rate):
        told = [entry.data["rate"] for entry in store.get(incident).timeline if entry.kind == "burn"]
        if max(told, default=0) >= alert.rate:
            continue
        windows = f"{counted(alert.long, 'day')} and {counted(alert.short, 'day')}"
        words = (
            f"The error budget of {joined(objectives)} burns, at {alert.rate:g} times what it allows or more over "
            f"{windows} ({alert.name}): see `reliability slo`."
        )
        data = {"alert": alert.name, "rate": alert.rate, "objectives": objectives}
        if store.append(incident, now, ACTOR, "burn", words, data, key=f"burn-{incident}-{alert.name}"):
            noted.append(incident)
    return list(dict.fromkeys(noted))
