"""A handful of the interruptions of `make torture`: kills, a full disk and a held file, each survived."""

import json
import subprocess
import sys

import pytest

from reliability_platform.settings import PROJECT_ROOT

pytestmark = (
    pytest.mark.exhaustive
)  # 30 s and more; that a kill at a single place loses nothing is held beside each store

FEW = (("--kills", "1", "--fills", "0", "--holds", "0", "--jumps", "0"), ("dbt",))
MORE = (("--kills", "3", "--fills", "1", "--holds", "1", "--jumps", "0"), ("dbt", "publication", "remediation"))
"""In publication and remediation, too, which first needs a home that is being healed; a full disk and a file that is held.
A write that fails is healed in `test_live_platform.py`.
"""


@pytest.mark.parametrize(("interruptions", "interrupted"), [FEW, MORE])
def test_whatever_is_interrupted_a_plain_rerun_makes_it_whole(
    interruptions: tuple[str, ...], interrupted: tuple[str, ...]
) -> None:
    """Kills, a full disk and a held file, each followed by the same work once more: equal to the uncrashed clone."""
    stages = [word for name in interrupted for word in ("--stage", name)]
    words = [sys.executable, "-m", "tests.torture", *interruptions, "--seed", "3", *stages, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=PROJECT_ROOT, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    asked = sum(int(count) for count in interruptions[1::2])
    assert (report["kills"], report["interruptions"], report["survived"]) == (len(interrupted), asked, asked)
    assert {row["stage"] for row in report["stages"] if row["kind"] == "kill"} == set(interrupted)
    assert report["leftovers"] == []
