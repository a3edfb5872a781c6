"""What runs a landing day and tells what is wrong with it: three stacks of a team, and the platform. Each is a process, as
its users start it, and is measured with all that it starts.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.beside.team_project import write_project, write_soda

BIN = Path(sys.executable).parent


@dataclass
class Cost:
    """Of processes that have ended."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_megabytes: float = 0.0
    runs: int = 0

    def run(self, *words: str, environment: dict[str, str], folder: Path) -> tuple[int, str]:
        """One process to its end, added up with all that it waited for; its exit code and what it printed."""
        began = time.perf_counter()
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(
                [str(BIN / words[0]), *words[1:]], env=os.environ | environment, cwd=folder, stdout=out, stderr=out
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            said = out.read()
        self.seconds += time.perf_counter() - began
        self.cpu_seconds += used.ru_utime + used.ru_stime
        self.peak_megabytes = max(self.peak_megabytes, used.ru_maxrss / 1e3)
        return process.returncode, said


@dataclass
class Team:
    """dbt with its own tests, with Elementary's, or with Soda's checks in the place of tests."""

    name: str
    folder: Path
    reference: Path
    packages: dict[str, Path] = field(default_factory=dict)
    soda: bool = False
    is_measured: bool = True
    """Otherwise Elementary keeps no artifacts: half of its time, and nothing that a test asks."""
    cost: Cost = field(default_factory=Cost)

    def __post_init__(self) -> None:
        if not self.folder.exists():
            write_project(self.folder, self.packages)
            write_soda(self.folder / "soda")
            if "elementary" in self.packages:  # its own tables, once
                self._dbt(Cost(), self.reference, date(2026, 1, 1), "run", "--select", "elementary")

    def history(self, landing: Path, last: date) -> None:
        """Load the days of the past."""
        words = ("run", "--exclude", "package:elementary", "--full-refresh")
        code, said = self._dbt(self.cost, landing, last, *words, days="*")
        if code:
            raise SystemExit(f"{self.name}: the past could not be loaded.\n{said[-3000:]}")

    def day(self, landing: Path, day: date) -> set[str]:
        """Run one landing day; what it tells of, by name."""
        words = ["run"] if self.soda else ["build", "--exclude", "package:elementary,resource_type:model"]
        if self.is_measured:  # the day is a variable of ours: that dbt parses the project anew for it is not counted
            self._dbt(Cost(), landing, day, "parse", days=str(day))
        code, _ = self._dbt(self.cost, landing, day, *words, days=str(day))
        self.cost.runs += 1
        results = self.folder / "target" / "run_results.json"
        if not results.is_file():
            return {f"dbt ended with {code}"}
        found = json.loads(results.read_text())["results"]
        results.unlink()
        told = {one["unique_id"] for one in found if one["status"] in ("fail", "warn", "error")}
        return told | (self._scanned(day) if self.soda else set())

    def fork(self, folder: Path, *, is_measured: bool = True) -> "Team":
        """The same with its past, in another folder, so that every fault meets the same past."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return replace(self, folder=folder, is_measured=is_measured)

    def _environment(self, landing: Path, day: date) -> dict[str, str]:
        return {
            "TEAM_WAREHOUSE": str(self.folder / "warehouse.duckdb"),
            "TEAM_LANDING": str(landing),
            "TEAM_REFERENCE": str(self.reference),
            "DAY": str(day),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }

    def _dbt(self, cost: Cost, landing: Path, day: date, *words: str, days: str = "*") -> tuple[int, str]:
        said: dict[str, Any] = {"day": str(day), "days": days}
        if self.packages:
            said["custom_run_started_at"] = f"{day + timedelta(days=1)}T00:30:00+00:00"
            said |= dict.fromkeys(("disable_dbt_artifacts_autoupload", "disable_run_results"), not self.is_measured)
        more = ["--vars", json.dumps(said), "--profiles-dir", "."]
        return cost.run("dbt", *words, *more, environment=self._environment(landing, day), folder=self.folder)

    def _scanned(self, day: date) -> set[str]:
        out = self.folder / "scan.json"
        words = [
            "scan",
            "-d",
            "warehouse",
            "-c",
            "soda/configuration.yml",
            "-v",
            f"DAY={day}",
            "-srf",
            str(out),
            "soda/checks.yml",
        ]
        self.cost.run("soda", *words, environment=self._environment(self.folder, day), folder=self.folder)
        found = json.loads(out.read_text())
        out.unlink()
        return {f"{one['table']}: {one['name']}" for one in found["checks"] if one["outcome"] != "pass"}


@dataclass
class Platform:
    """`reliability run` of the day, and the checks that fail on it."""

    folder: Path
    name: str = "the platform"
    cost: Cost = field(default_factory=Cost)

    def run(self, first: date, last: date) -> None:
        """Land, build and judge some days."""
        words = ["run", "--from", str(first), "--to", str(last), "--home", str(self.folder)]
        self.cost.run("reliability", *words, environment={}, folder=self.folder.parent)

    def day(self, day: date) -> set[str]:
        """Run one landing day; the checks that fail on it."""
        self.run(day, day)
        self.cost.runs += 1
        settings = load_settings(self.folder)
        found = CheckStore(operations_engine(settings)).latest([day])
        return {one.check for one in found if one.status is CheckStatus.FAILED}

    def fork(self, folder: Path) -> "Platform":
        """The same with its past, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return replace(self, folder=folder)
