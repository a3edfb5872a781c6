"""A project for the year of flights, and a process of its own that judges them: a process serves one project."""

import os
import subprocess
import sys
from pathlib import Path

from reliability_platform.settings import PROJECT_ROOT
from tests.comparison.delivery_sets import flights_csv


def flights_apart(folder: Path, module: str) -> subprocess.Popen[bytes]:
    """Make the project in a folder and let a module judge there what lies in the file of the option `--of-flights`."""
    file, sample = flights_csv(folder), folder / "sample"
    sample.mkdir()
    header, *rows = file.read_text().splitlines(keepends=True)
    by_day: dict[str, list[str]] = {}
    for row in rows:
        year, month, day, _ = row.split(",", 3)
        if int(month) <= 2:
            by_day.setdefault(f"{year}-{int(month):02}-{int(day):02}", [header]).append(row)
    for day, lines in by_day.items():
        (sample / f"flights-{day}.csv").write_text("".join(lines))
    project = folder / "airport"
    environment = {**os.environ, "RELIABILITY_HOME": str(folder / "home")}
    reliability = [str(Path(sys.executable).parent / "reliability")]

    def run(*words: str, at: Path) -> None:
        subprocess.run([*reliability, *words], cwd=at, env=environment, check=True, stdout=subprocess.DEVNULL)

    run("init", str(project), at=folder)
    run("sources", "add", "flights", "--from", f"{sample}/flights-*.csv", "--yes", at=project)
    contract = project / "contracts" / "flights.yml"
    contract.write_text(contract.read_text().replace("Etc/GMT+5", "America/New_York"))
    run("generate", at=project)
    environment |= {"RELIABILITY_PROJECT": str(project), "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-m", module, "--of-flights", str(file)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
