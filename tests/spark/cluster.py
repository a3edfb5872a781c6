"""A standalone cluster of Spark on this machine: a master and workers, each a process of its own, gone afterwards."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path


@dataclass
class Cluster:
    """Its workers can be killed one by one."""

    url: str
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def kill_a_worker(self) -> None:
        """With the executors that it has started."""
        _end(self.workers.pop())


@contextmanager
def cluster(folder: Path, workers: int = 2, memory: str = "1g") -> Iterator[Cluster]:
    """One whose workers have a core and so much memory each."""
    port = _free_port()
    made = Cluster(f"spark://127.0.0.1:{port}")
    master = _start(
        folder, "master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(_free_port())
    )
    try:
        for number in range(workers):
            place = folder / f"worker-{number}"
            place.mkdir(parents=True)
            made.workers.append(
                _start(
                    place, "worker.Worker", made.url, "--host", "127.0.0.1", "--cores", "1", "--memory", memory,
                    "--webui-port", str(_free_port()), "--work-dir", str(place),
                )
            )  # fmt: skip
        yield made
    finally:
        for one in (*made.workers, master):
            _end(one)


def _start(folder: Path, program: str, *words: str) -> "subprocess.Popen[bytes]":
    folder.mkdir(parents=True, exist_ok=True)
    spark_class = Path(str(files("pyspark"))) / "bin" / "spark-class"
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [spark_class, f"org.apache.spark.deploy.{program}", *words],
            stdout=log, stderr=log, start_new_session=True, env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"},
        )  # fmt: skip


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
