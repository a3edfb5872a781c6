"""`python -m tests.bench.everyday HOME`: CPU-seconds of the commands that are typed every day, and what `reliability dev` takes
to be usable and while nothing happens. The home should have an incident; nothing in it is changed.
"""

import argparse
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

RELIABILITY = str(Path(sys.executable).parent / "reliability")
LIMITS = {
    "--help": 0.4,
    "incidents list": 1.0,
    "incidents show INC-0001": 1.0,
    "checks": 1.0,
    "slo": 1.0,
    "sources": 1.0,
    "quarantine list": 1.0,
    "metrics": 1.0,
}
"""CPU-seconds of each command, the least of some runs: what others do on the machine only adds."""
USABLE_SECONDS, IDLE_SHARE = 15.0, 0.02
TIMES = 5
SETTLED_SECONDS, IDLE_SECONDS = 60.0, 120.0
TICK = os.sysconf("SC_CLK_TCK")


def _cpu(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(home: Path) -> dict[str, float]:
    """CPU-seconds of each command."""
    found = {}
    for words in LIMITS:
        where = [] if words == "--help" else ["--home", str(home)]
        found[words] = round(min(_cpu([RELIABILITY, *words.split(), *where]) for _ in range(TIMES)), 2)
    return found


def _tree(root: int) -> float:
    """CPU-seconds of a process and of all that came of it and still runs, with those that have ended."""
    parents, seconds = {}, {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            text = place.read_text()
            fields = text[text.rindex(")") + 2 :].split()
            parents[int(place.parent.name)] = int(fields[1])
            seconds[int(place.parent.name)] = sum(map(int, fields[11:15])) / TICK
    found = [root]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return sum(seconds.get(one, 0.0) for one in found)


def dev(home: Path) -> dict[str, float]:
    """Seconds until the UI answers and the code is loaded, and the share of a core while nothing happens. Linux alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    body = json.dumps({"query": "{ workspaceOrError { ... on Workspace { locationEntries { id } } } }"}).encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    began = time.monotonic()
    process = subprocess.Popen(
        [RELIABILITY, "dev", "--port", str(port), "--home", str(home)], stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(asked, timeout=10) as answer:
                if json.load(answer)["data"]["workspaceOrError"]["locationEntries"]:
                    break
            time.sleep(0.2)
        usable = time.monotonic() - began
        time.sleep(SETTLED_SECONDS)
        before, at = _tree(process.pid), time.monotonic()
        time.sleep(IDLE_SECONDS)
        idle = (_tree(process.pid) - before) / (time.monotonic() - at)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    return {"usable_seconds": round(usable, 1), "idle_share_of_a_core": round(idle, 4)}


def main() -> int:
    """Measure and print one JSON document; 1 if anything takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    home = parser.parse_args().home.absolute()
    found: dict[str, Any] = {"load": os.getloadavg()[0], "cpu_seconds": commands(home), "dev": dev(home)}
    over = [words for words, limit in LIMITS.items() if found["cpu_seconds"][words] > limit]
    over += ["dev, usable"] if found["dev"]["usable_seconds"] > USABLE_SECONDS else []
    over += ["dev, idle"] if found["dev"]["idle_share_of_a_core"] > IDLE_SHARE else []
    print(json.dumps(found | {"over_the_limit": over}, indent=2))  # noqa: T201
    return int(bool(over))


if __name__ == "__main__":
    raise SystemExit(main())
