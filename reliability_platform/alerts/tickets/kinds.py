"""The kinds of trackers, and what a sender would ask of one."""

from collections.abc import Mapping
from typing import Any

from reliability_platform.alerts.tickets.shapes import (
    GitHub,
    GitLab,
    Jira,
    JiraDataCenter,
    ServiceNow,
    Shape,
    TrackerPlace,
    TrackerRequest,
)
from reliability_platform.alerts.tickets.template import TemplateShape

SHAPES: dict[str, type[Shape]] = {
    "github": GitHub,
    "gitlab": GitLab,
    "jira": Jira,
    "jira_data_center": JiraDataCenter,
    "servicenow": ServiceNow,
    "template": TemplateShape,
}


def shape_of(place: TrackerPlace) -> Shape:
    """The shape of a tracker's kind."""
    return SHAPES[place.kind](place)


def planned(place: TrackerPlace, task: Mapping[str, Any]) -> list[TrackerRequest]:
    """The requests that a sender would make, where everything is as it should be; KEY stands for a ticket's own."""
    shape, key = shape_of(place), str(task["ticket"]) or "KEY"
    found = [shape.comment(key, task)] if task["ticket"] and task["comment"] is not None else []
    if not task["ticket"]:
        found = [
            shape.find(task["marker"], task["since"], 1),
            shape.create(task),
        ]
    if task["move"]:
        closes = task["move"] == "close"
        step = shape.close(key, task) if closes else shape.reopen(key, task)
        wanted = place.closing if closes else place.reopening
        if step is None and isinstance(shape, Jira) and wanted:
            step = shape.transition(key, {"transitions": [{"id": "ID", "name": wanted}]}, wanted)
        found += [] if step is None else [step]
    return found
