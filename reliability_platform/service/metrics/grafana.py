"""The dashboard for Grafana, as its JSON model: the same metrics as a wall of pictures."""

import json
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 8, 7
"""Of one panel, in Grafana's grid of 24 columns."""


@dataclass(frozen=True)
class Panel:
    """One picture."""

    title: str
    expr: str
    """PromQL over the declared metrics."""
    legend: str
    unit: str
    """As Grafana names units: `s`, `short`, `percentunit`, `bytes`."""
    kind: str = "timeseries"


PANELS = (
    Panel("Open incidents", "sum by (severity) (reliability_open_incidents)", "{{severity}}", "short", "stat"),
    Panel("Held landing days", "sum by (source) (reliability_held_partitions)", "{{source}}", "short", "stat"),
    Panel("Silent for", "time() - min(reliability_daemon_heartbeat_timestamp_seconds)", "daemons", "s", "stat"),
    Panel(
        "Error budget left", "reliability_error_budget_left_partitions", "{{dataset}} {{objective}}", "short", "bargauge"
    ),
    Panel(
        "Burn rate over 3 landing days",
        'reliability_error_budget_burn_rate{window_days="3"}',
        "{{dataset}} {{objective}}",
        "short",
    ),
    Panel(
        "Age of what consumers read",
        "time() - reliability_dataset_newest_event_date_timestamp_seconds",
        "{{dataset}}",
        "s",
    ),
    Panel(
        "Share of good days", "reliability_objective_attained_ratio", "{{dataset}} {{objective}}", "percentunit", "bargauge"
    ),
    Panel("Rows by what became of them", "sum by (disposition) (reliability_rows)", "{{disposition}}", "short"),
    Panel("Event to published, 95 %", "reliability_event_to_published_p95_seconds", "{{dataset}}", "s"),
    Panel(
        "Mean time to detect, acknowledge, recover",
        'label_replace(reliability_incident_mean_time_to_detect_seconds, "what", "detect", "", "") '
        'or label_replace(reliability_incident_mean_time_to_acknowledge_seconds, "what", "acknowledge", "", "") '
        'or label_replace(reliability_incident_mean_time_to_recover_seconds, "what", "recover", "", "")',
        "{{what}} {{severity}}",
        "s",
    ),
    Panel("Builds in a day", "sum by (outcome) (increase(reliability_builds_total[1d]))", "{{outcome}}", "short"),
    Panel("Seconds of the last stage", "reliability_stage_last_duration_seconds", "{{stage}} {{source}}", "s"),
    Panel("Rows in a second", "reliability_build_rows_per_second", "build", "short"),
    Panel(
        "Share of steps that were tried again",
        "increase(reliability_step_retries_total[1d]) / increase(reliability_steps_total[1d])",
        "steps",
        "percentunit",
    ),
    Panel("Errors in a day", "sum by (cause) (increase(reliability_failed_steps_total[1d]))", "{{cause}}", "short"),
    Panel("Waiting in quarantine", "reliability_dead_letter_rows", "{{source}}", "short"),
    Panel(
        "Age of the oldest dead letter",
        "time() - reliability_oldest_dead_letter_timestamp_seconds",
        "{{source}}",
        "s",
    ),
    Panel("Open breakers", 'reliability_breaker_state{state!="closed"}', "{{source}} {{state}}", "short"),
    Panel("Alerts that wait", "reliability_alerts_waiting", "{{channel}}", "short"),
    Panel("Lineage events that wait", "reliability_lineage_events_waiting", "events", "short"),
    Panel("Age of the newest snapshot", "time() - reliability_newest_snapshot_timestamp_seconds", "snapshot", "s"),
    Panel("Age of the last drill", "time() - reliability_last_drill_timestamp_seconds", "{{drill}}", "s"),
    Panel("Free room", "reliability_free_room_bytes", "{{place}}", "bytes"),
    Panel("Late sensors, missed schedules", "reliability_sensor_late or reliability_schedule_missed", "{{sensor}}{{schedule}}", "short"),
)  # fmt: skip


def _panel(place: int, one: Panel) -> dict[str, Any]:
    return {
        "id": place + 1,
        "type": one.kind,
        "title": one.title,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": place % 3 * WIDTH, "y": place // 3 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": one.unit}, "overrides": []},
        "targets": [{"refId": "A", "expr": one.expr, "legendFormat": one.legend}],
    }


def dashboard() -> str:
    """The JSON to import; it asks for the data source."""
    model = {
        "uid": "reliability-platform",
        "title": "Reliability Platform",
        "tags": ["reliability"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]},
        "panels": [_panel(place, one) for place, one in enumerate(PANELS)],
    }  # fmt: skip
    return json.dumps(model, indent=2) + "\n"
