"""One request of each operation that is answered well on a home like that of the tutorial: for the OpenAPI document, for the
page of the API, and for the test that asks all of them.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RequestExample:
    """One request."""

    path: str
    body: dict[str, Any] | None = None
    status: int = 200


_DAYS = {"from": "2026-01-01", "to": "2026-01-02"}
EXAMPLES: dict[str, RequestExample] = {
    "GET /v1/health": RequestExample("/v1/health"),
    "GET /v1/health/ready": RequestExample("/v1/health/ready"),
    "GET /v1/metrics": RequestExample("/v1/metrics"),
    "GET /v1/pipeline-summary": RequestExample("/v1/pipeline-summary"),
    "GET /v1/pipeline-runs": RequestExample("/v1/pipeline-runs?outcome=succeeded&limit=10"),
    "GET /v1/requested-runs": RequestExample("/v1/requested-runs"),
    "GET /v1/requested-runs/{run_id}": RequestExample("/v1/requested-runs/{run_id}"),
    "POST /v1/requested-runs/{run_id}/stop": RequestExample(
        "/v1/requested-runs/{run_id}/stop", {"why": "wrong days"}, status=202
    ),
    "GET /v1/incidents": RequestExample("/v1/incidents?open=true&severity=P2"),
    "GET /v1/incidents/{incident_id}": RequestExample("/v1/incidents/INC-0001"),
    "GET /v1/incidents/{incident_id}/hearings": RequestExample("/v1/incidents/INC-0001/hearings"),
    "GET /v1/downstream-impact": RequestExample("/v1/downstream-impact?source=orders"),
    "GET /v1/checks": RequestExample("/v1/checks?from=2026-01-01&to=2026-01-02&source=orders"),
    "GET /v1/sla-status": RequestExample("/v1/sla-status?dataset=agg_daily_revenue"),
    "GET /v1/data-contracts": RequestExample("/v1/data-contracts"),
    "GET /v1/profiles": RequestExample("/v1/profiles?source=orders&kind=mean"),
    "GET /v1/quarantine": RequestExample("/v1/quarantine?source=orders&state=quarantined"),
    "GET /v1/publications": RequestExample("/v1/publications?limit=5"),
    "GET /v1/publications/{version}": RequestExample("/v1/publications/current"),
    "GET /v1/audit-log": RequestExample("/v1/audit-log?command=publish&limit=5"),
    "GET /v1/sources": RequestExample("/v1/sources"),
    "GET /v1/lineage": RequestExample("/v1/lineage?dataset=bronze/orders"),
    "GET /v1/scorecards": RequestExample("/v1/scorecards"),
    "GET /v1/scorecards/{name}": RequestExample("/v1/scorecards/pipeline_reliability_scorecard"),
    "POST /v1/incidents": RequestExample(
        "/v1/incidents",
        {"dataset": "orders", "from": "2026-01-01", "words": "half is missing"},
        status=201,
    ),
    "POST /v1/incidents/{incident_id}/acknowledge": RequestExample(
        "/v1/incidents/INC-0001/acknowledge", {"why": "looking at it"}
    ),
    "POST /v1/incidents/{incident_id}/assign": RequestExample("/v1/incidents/INC-0001/assign", {"to": "grace"}),
    "POST /v1/incidents/{incident_id}/note": RequestExample(
        "/v1/incidents/INC-0001/note", {"why": "the producer sends the day again"}
    ),
    "POST /v1/incidents/{incident_id}/update": RequestExample(
        "/v1/incidents/INC-0001/update", {"say": "The files come again at noon.", "next_hours": 2}
    ),
    "POST /v1/incidents/{incident_id}/heal": RequestExample(
        "/v1/incidents/INC-0001/heal", {"dry_run": True}, status=202
    ),
    "POST /v1/incidents/{incident_id}/resolve": RequestExample(
        "/v1/incidents/INC-0001/resolve", {"why": "mended by hand"}
    ),
    "POST /v1/incidents/{incident_id}/close": RequestExample(
        "/v1/incidents/INC-0001/close", {"why": "nothing is left to do"}
    ),
    "POST /v1/incidents/{incident_id}/reopen": RequestExample("/v1/incidents/INC-0001/reopen", {"why": "it came back"}),
    "POST /v1/incidents/{incident_id}/false-alarm": RequestExample(
        "/v1/incidents/INC-0001/false-alarm", {"why": "a sale, announced too late"}
    ),
    "POST /v1/hold": RequestExample("/v1/hold", {"source": "orders", "date": "2026-01-01", "why": "the shop was down"}),
    "POST /v1/release": RequestExample("/v1/release", {"source": "orders", "date": "2026-01-01", "why": "it was not"}),
    "POST /v1/pause": RequestExample("/v1/pause", {"kind": "source", "name": "payments", "why": "it moves house"}),
    "POST /v1/resume": RequestExample("/v1/resume", {"kind": "source", "name": "payments", "why": "it has moved"}),
    "POST /v1/run-pipeline": RequestExample("/v1/run-pipeline", _DAYS, status=202),
    "POST /v1/run-backfill": RequestExample("/v1/run-backfill", _DAYS | {"dry_run": True}, status=202),
    "POST /v1/simulate-failure": RequestExample(
        "/v1/simulate-failure", {"failure_type": "duplicate_retry_storm"}, status=202
    ),
    "POST /v1/quarantine/replay": RequestExample(
        "/v1/quarantine/replay", {"source": "orders", "date": "2026-01-02", "dry_run": True}, status=202
    ),
    "POST /v1/quarantine/discard": RequestExample(
        "/v1/quarantine/discard",
        {"batch": "orders-20260102-01", "why": "not to be had", "dry_run": True},
        status=202,
    ),
    "POST /v1/publications/withdraw-table": RequestExample(
        "/v1/publications/withdraw-table", {"table": "agg_daily_funnel", "why": "it counts twice"}, status=202
    ),
    "POST /v1/publications/roll-back": RequestExample(
        "/v1/publications/roll-back", {"leaving": "v000001", "why": "revenue was wrong"}, status=202
    ),
}
"""In an order in which each is allowed after the ones before it."""
