"""What is in quarantine: counts, never contents."""

from collections import Counter
from datetime import date

from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun

_ROWS = """
select 'rows' as what, source, landing_date, reject_reasons as reason, state, null::bigint as files,
    count(*) as rows, count(distinct record_key) as keys
from qtn_rows group by all
union all
select 'rows', source, landing_date, 'too_late', 'held', null, count(*), count(distinct record_key)
from hld_too_late group by all
"""


def _summary(run: GradedRun) -> list[Row]:
    files: Counter[tuple[str, date, str, str]] = Counter()
    rows: Counter[tuple[str, date, str, str]] = Counter()
    for record in run.refused_files:
        day = date.fromisoformat(record["landing_date"])
        key = (record["source"], day, record["reason"] or "unknown", record["state"])
        files[key] += 1
        rows[key] += int(record["delivered_rows"] or 0)
    found = [
        {
            "what": "file",
            "source": key[0],
            "landing_date": key[1],
            "reason": key[2],
            "state": key[3],
            "files": count,
            "rows": rows[key],
            "keys": None,
        }
        for key, count in files.items()
    ]
    found += run.query(_ROWS)
    return sorted(found, key=lambda row: (row["landing_date"], row["source"], row["what"], row["reason"], row["state"]))


SUMMARY = Report(
    name="quarantine_summary",
    folder=Folder.QUARANTINE,
    about="What was kept out, why, and what became of it?",
    grain="One row per landing day, source, kind, reason and state, in this order.",
    columns=(
        ReportColumn("what", "file (refused whole) or rows (rejected or held one by one)"),
        ReportColumn("source", "The source"),
        ReportColumn("landing_date", "Landing day", "date"),
        ReportColumn("reason", "Why; a row may have several reasons, separated by commas"),
        ReportColumn("state", "quarantined, replayed, superseded, discarded or held (too late)"),
        ReportColumn("files", "Refused files; null for rows", "files"),
        ReportColumn("rows", "Rows, as the manifest declares them for a file", "rows"),
        ReportColumn("keys", "Different keys among the rows; null for files", "count"),
    ),
    rows=_summary,
)
