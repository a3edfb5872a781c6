"""The alert rules that ship with the metrics, as a rule file of Prometheus. Limits are those of the home's own settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from reliability_platform.counted import counted
from reliability_platform.recovery.capacity import MEGABYTE
from reliability_platform.service.queries.heartbeats import BEATS_WITHIN
from reliability_platform.settings import Settings
from reliability_platform.slo.objectives import BurnAlert, objectives_of

DEAD_LETTER_AGE = timedelta(days=7)
"""Rejected rows and refused files are looked at within a week: replayed, asked for again, or discarded."""
FORGOTTEN = timedelta(days=7)
"""What somebody has paused for so long may have been forgotten; consumers miss it every day."""
PAGE, TICKET = "critical", "warning"
"""Somebody is woken; or somebody looks at it in the morning."""


@dataclass(frozen=True)
class AlertRule:
    """One rule."""

    alert: str
    expr: str
    """PromQL over the declared metrics."""
    lasts: str
    """For how long it must hold, as Prometheus writes durations."""
    severity: str
    summary: str
    """One line; `{{ $labels.… }}` stands for the labels of the series."""
    action: str
    """What to do first."""


def _burn(alert: BurnAlert) -> AlertRule:
    """Both windows of a burn alert at once: enough was spent to matter, and it is still being spent."""
    rate = "reliability_error_budget_burn_rate"
    both = " and ignoring (window_days) ".join(
        f'{rate}{{window_days="{days}"}} >= {alert.rate:g}' for days in (alert.long, alert.short)
    )
    return AlertRule(
        f"ReliabilityErrorBudgetBurn{alert.name.title().replace('_', '')}",
        both,
        "5m",
        PAGE if alert.rate >= FAST else TICKET,
        f"{{{{ $labels.dataset }}}} burns its error budget of {{{{ $labels.objective }}}}: {{{{ $value | humanize }}}} times "
        f"what it lasts for, over {counted(alert.long, 'day')}.",
        "`reliability slo` says which days and incidents have spent it.",
    )


FAST = 4.0
"""From this burn rate on, a budget of four weeks is gone within one."""


def alert_rules(settings: Settings) -> Iterator[AlertRule]:
    """All rules for a home of these settings."""
    for alert in objectives_of(settings).alerts:
        yield _burn(alert)
    yield AlertRule(
        "ReliabilityErrorBudgetExhausted",
        "reliability_error_budget_left_partitions < 0 or reliability_error_budget_left_runs < 0",
        "5m",
        TICKET,
        "{{ $labels.dataset }} misses its objective of {{ $labels.objective }}: more went wrong than it allows.",
        "`reliability slo` says which days and incidents have spent the budget.",
    )
    yield AlertRule(
        "ReliabilityIncidentOpen",
        'reliability_open_incidents{severity=~"P0|P1"} > 0',
        "1m",
        PAGE,
        "{{ $value }} of {{ $labels.class }} open at {{ $labels.severity }}.",
        "`reliability incidents list`, then `reliability incidents show INC-…` for what to do now.",
    )
    yield AlertRule(
        "ReliabilityNotScraped",
        "absent(reliability_build_info)",
        "5m",
        PAGE,
        "Prometheus gets no metrics: `reliability serve` does not answer, or refuses its token.",
        "Start `reliability serve`; `reliability tokens list` says whether the token is valid.",
    )
    yield AlertRule(
        "ReliabilityDaemonSilent",
        f"time() - reliability_daemon_heartbeat_timestamp_seconds > {BEATS_WITHIN.total_seconds():g}",
        "1m",
        PAGE,
        "The daemon {{ $labels.daemon }} was last heard of {{ $value | humanizeDuration }} ago.",
        "Start `reliability dev` again: without it no schedule fires and no incident is noticed.",
    )
    yield AlertRule(
        "ReliabilitySensorLate",
        "reliability_sensor_late == 1",
        "1m",
        PAGE,
        "The sensor {{ $labels.sensor }} has not ticked to an end for minutes.",
        "Its page in Dagster's UI shows the error of its last tick.",
    )
    yield AlertRule(
        "ReliabilityScheduleMissed",
        "reliability_schedule_missed == 1",
        "1m",
        PAGE,
        "The schedule {{ $labels.schedule }} did not fire at its last turn.",
        "Run what it should have: `reliability run --from DAY --to DAY`, or `reliability snapshot create`.",
    )
    age = timedelta(hours=settings.snapshot_max_age_hours)
    in_service = "and on (job, instance) (reliability_in_service == 1)"
    yield AlertRule(
        "ReliabilitySnapshotTooOld",
        f"time() - reliability_newest_snapshot_timestamp_seconds > {age.total_seconds():g} {in_service}",
        "5m",
        TICKET,
        "The newest snapshot is {{ $value | humanizeDuration }} old.",
        "`reliability snapshot create`; `reliability doctor` says why there was none.",
    )
    yield AlertRule(
        "ReliabilityNoSnapshot",
        "(reliability_in_service == 1) unless on (job, instance) reliability_newest_snapshot_timestamp_seconds",
        f"{age.total_seconds():g}s",
        TICKET,
        "There is no snapshot at all.",
        "`reliability snapshot create`.",
    )
    yield AlertRule(
        "ReliabilityDeadLettersOld",
        f"time() - reliability_oldest_dead_letter_timestamp_seconds > {DEAD_LETTER_AGE.total_seconds():g}",
        "5m",
        TICKET,
        "What waits longest in the quarantine of {{ $labels.source }} is {{ $value | humanizeDuration }} old.",
        "`reliability quarantine analyze` says what can be replayed.",
    )
    yield AlertRule(
        "ReliabilityPausedForLong",
        f"time() - reliability_paused_since_timestamp_seconds > {FORGOTTEN.total_seconds():g}",
        "5m",
        TICKET,
        "The {{ $labels.kind }} {{ $labels.name }} has been {{ $labels.state }} for {{ $value | humanizeDuration }}.",
        "`reliability sources` and `reliability tables list` say by whom and why; `resume` lets it go on.",
    )
    paused = 'label_replace(reliability_paused_since_timestamp_seconds{kind="source"}, "source", "$1", "name", "(.*)")'
    yield AlertRule(
        "ReliabilityMissedDaysNotRun",
        f"reliability_partitions_missed_while_paused > 0 unless on (job, instance, source) {paused}",
        "1d",
        TICKET,
        "{{ $labels.source }} goes on, and {{ $value }} landing days that it missed while it was paused were not run again.",
        "`reliability sources` says which; `reliability run --from DAY --to DAY` runs them.",
    )
    if settings.min_free_room_megabytes:
        yield AlertRule(
            "ReliabilityRoomLow",
            f"reliability_free_room_bytes < {settings.min_free_room_megabytes * MEGABYTE}",
            "1m",
            PAGE,
            "{{ $value | humanize1024 }}B are free for the {{ $labels.place }}.",
            "Make room: `reliability snapshot prune` forgets old snapshots.",
        )
    yield AlertRule(
        "ReliabilityBreakerOpen",
        'reliability_breaker_state{state="open"} == 1',
        "15m",
        TICKET,
        "Nobody asks {{ $labels.source }} at present: it has failed too often.",
        "`reliability sources status` says since when; ask its owner.",
    )
    yield AlertRule(
        "ReliabilityAlertsUndelivered",
        "reliability_alerts_undelivered > 0",
        "5m",
        TICKET,
        "{{ $value }} alerts for {{ $labels.channel }} were given up.",
        "`reliability alerts status` says why.",
    )
    yield AlertRule(
        "ReliabilityMetricUnanswered",
        "reliability_unanswered == 1",
        "15m",
        TICKET,
        "{{ $labels.metric }} cannot be read: rules that speak of it are blind.",
        "`reliability doctor` says what is wrong with the home.",
    )


def rule_file(settings: Settings) -> str:
    """The rules as YAML."""
    rules: list[dict[str, Any]] = [
        {
            "alert": one.alert,
            "expr": one.expr,
            "for": one.lasts,
            "labels": {"severity": one.severity},
            "annotations": {"summary": one.summary, "action": one.action},
        }
        for one in alert_rules(settings)
    ]
    return yaml.safe_dump({"groups": [{"name": "reliability", "rules": rules}]}, sort_keys=False, width=1000)
