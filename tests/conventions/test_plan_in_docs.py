"""The plan that the how-to guide shows is one that the platform takes."""

import re
from pathlib import Path

from reliability_platform.lab.faults.plan import load_plan
from tests.conventions.documents import DOCS


def test_the_plan_of_the_guide_loads(tmp_path: Path) -> None:
    """A key is renamed in the code, and whoever copies the example has it refused."""
    [block] = re.findall(r"```yaml\n(name: .*?)```", (DOCS / "how-to" / "fault.md").read_text(), re.DOTALL)
    path = tmp_path / "bad_week.yml"
    path.write_text(block)
    assert load_plan(str(path)).name == "bad_week"
