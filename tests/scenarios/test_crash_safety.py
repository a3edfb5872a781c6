"""A handful of the interruptions of `make torture`: kills, a full disk and a held file, each survived."""

import json
import subprocess
import sys

from reliability_platform.settings import PROJECT_ROOT

INTERRUPTIONS = ("--kills", "3", "--fills", "1", "--holds", "1", "--jumps", "0")
QUICK = ("dbt", "publication", "remediation")


def test_whatever_is_struck_a_plain_rerun_makes_it_whole() -> None:
    """Three kills, a full disk and a held file, each followed by the same work once more: equal to the uncrashed clone."""
    stages = [word for name in QUICK for word in ("--stage", name)]
    words = [sys.executable, "-m", "tests.torture", *INTERRUPTIONS, "--seed", "3", *stages, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=PROJECT_ROOT, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert (report["kills"], report["interruptions"], report["survived"]) == (3, 5, 5)
    assert {row["stage"] for row in report["stages"] if row["kind"] == "kill"} == set(QUICK)
    assert report["leftovers"] == []
