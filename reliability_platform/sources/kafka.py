"""Topics of a Kafka cluster, read and written by librdkafka.

Partitions are assigned by ourselves, from offsets that the caller knows: there is no consumer group that could be rebalanced,
and the offsets that the cluster keeps are a hint for those who watch it. What goes wrong is told in words of ours, in one
line that names the brokers: a message of the client may quote how they are reached.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.servers import Server
from reliability_platform.credentials import is_reference, secret
from reliability_platform.errors import EnvironmentUnusableError, PlatformError, SourceUnavailableError

RECORDS = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("ms")),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
    ]
)
"""The records of one partition, as the cluster keeps them; moments in UTC, null where the producer gave none."""
RECORDS_AT_ONCE = 10_000
"""So many records are objects of Python at once: 3 MB of small ones."""
QUEUE_KILOBYTES = 16_384
"""What the client may have fetched ahead. A slow disk leaves the queue full, and then nothing is fetched."""
CONNECT_SECONDS = 10.0
SILENT_SECONDS = 30.0
"""A cluster that says neither a record nor where a partition ends within so long does not answer."""
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Offsets:
    """Which offsets a partition has: from the first one that is kept, before the end."""

    start: int
    end: int


@dataclass(frozen=True)
class Read:
    """What came of a partition: records, or that there are no more at this moment."""

    partition: int
    records: pa.Table | None


def configuration(server: Server) -> dict[str, Any]:
    """What the client is told of a cluster. Raises `CredentialsError`."""
    told: dict[str, Any] = {
        name: secret(value).get_secret_value() if is_reference(value) else value for name, value in server.options
    }
    secure = server.ca_file is not None or (server.tls and not server.is_local)
    told |= {
        "bootstrap.servers": server.address,
        "security.protocol": f"{'SASL_' if server.credentials else ''}{'SSL' if secure else 'PLAINTEXT'}",
        "log_level": 0,
    }
    if server.ca_file is not None:
        told["ssl.ca.location"] = server.ca_file
    if server.credentials is not None:
        told["sasl.username"] = server.user or ""
        told["sasl.password"] = secret(server.credentials).get_secret_value()
        told.setdefault("sasl.mechanism", "SCRAM-SHA-512")
    return told


def _client() -> Any:
    try:
        import confluent_kafka
    except ImportError:
        raise EnvironmentUnusableError(
            "A source that is a stream needs confluent-kafka: install the platform with its extra `kafka`."
        ) from None
    return confluent_kafka


class Topic:
    """One topic of a cluster, open for reading. Made by `opened`."""

    def __init__(self, client: Any, server: Server, contract: Contract) -> None:
        self._client, self._server, self.name, self._source = client, server, contract.table, contract.source
        self._errors: list[Any] = []
        self._producer: Any = None
        self.exhausted = set[int]()
        """Partitions of which the cluster has said, in the last reading, that nothing more waits in them."""
        self._conf = configuration(server) | {"error_cb": self._errors.append}
        group = self._conf.pop("group.id", f"reliability-platform-{contract.source}")
        try:
            self._consumer = client.Consumer(
                self._conf
                | {
                    "group.id": group,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "isolation.level": "read_committed",
                    "queued.max.messages.kbytes": QUEUE_KILOBYTES,
                }
            )
        except client.KafkaException as error:
            raise EnvironmentUnusableError(
                f"{self._named} cannot be reached as its contract says: {error.args[0].str()}."
            ) from None

    @property
    def _named(self) -> str:
        return f"The Kafka cluster at {self._server.address}"

    def close(self) -> None:
        """Let go of the cluster."""
        self._consumer.close()

    def offsets(self) -> dict[int, Offsets]:
        """What each partition has. Raises `SourceUnavailableError`, or `EnvironmentUnusableError` where only a person helps."""
        with self._told_in_our_words():
            found = self._consumer.list_topics(self.name, timeout=CONNECT_SECONDS).topics[self.name]
            if found.error is not None:
                raise self._client.KafkaException(found.error)
            return {
                number: Offsets(
                    *self._consumer.get_watermark_offsets(
                        self._client.TopicPartition(self.name, number), timeout=CONNECT_SECONDS
                    )
                )
                for number in sorted(found.partitions)
            }

    def read(self, starts: Mapping[int, int], seconds: float) -> Iterator[Read]:
        """The records from these offsets on, until each partition has come to its end, was left, or the time is over. Its end
        is where it ended when its first records came: a topic into which somebody writes without a pause has no other.
        Raises as `offsets`."""
        places = [self._client.TopicPartition(self.name, one, offset) for one, offset in starts.items()]
        self._left, self._ends, self.exhausted, began = set[int](), dict[int, int](), set[int](), time.monotonic()
        heard = began
        with self._told_in_our_words():
            self._consumer.assign(places)
            while self._left < set(starts) and time.monotonic() < began + seconds:
                messages = self._consumer.consume(RECORDS_AT_ONCE, timeout=POLL_SECONDS)
                self._raise_fatal()
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() > heard + SILENT_SECONDS:
                    raise SourceUnavailableError(f"{self._named} has said nothing for {SILENT_SECONDS:g} s.")
                for partition, run in groupby(messages, key=self._client.Message.partition):
                    yield from self._read(partition, list(run))

    def _read(self, partition: int, run: list[Any]) -> Iterator[Read]:
        if partition in self._left:
            return
        ended = False
        if any(map(self._client.Message.error, run)):
            said = [one.error() for one in run if one.error() is not None]
            run = [one for one in run if one.error() is None]
            codes = {one.code() for one in said}
            ended = self._client.KafkaError._PARTITION_EOF in codes
            if codes - {self._client.KafkaError._PARTITION_EOF}:
                raise self._client.KafkaException(
                    next(one for one in said if one.code() != self._client.KafkaError._PARTITION_EOF)
                )
        if ended:
            self.exhausted.add(partition)
        if run:
            if partition not in self._ends:
                self._ends[partition] = self._end_of(partition)
            ended = ended or self._ends[partition] <= run[-1].offset() + 1
            yield Read(partition, _table(self._client, run))
        if ended and partition not in self._left:
            self.leave(partition)
            yield Read(partition, None)

    def _end_of(self, partition: int) -> int:
        """Where a partition ended when the last answer came; beyond every offset where no answer has said."""
        place = self._client.TopicPartition(self.name, partition)
        _, end = self._consumer.get_watermark_offsets(place, cached=True)
        return int(end) if end >= 0 else sys.maxsize

    def leave(self, partition: int) -> None:
        """Read no more of a partition."""
        self._left.add(partition)
        self._consumer.incremental_unassign([self._client.TopicPartition(self.name, partition)])

    def note(self, partition: int, offset: int) -> None:
        """Tell the cluster how far we have come: a hint for those who watch it, which nothing here reads."""
        with suppress(self._client.KafkaException):
            place = self._client.TopicPartition(self.name, partition, offset)
            self._consumer.commit(offsets=[place], asynchronous=True)

    def send_dead_letters(self, records: pa.Table) -> None:
        """Send records once more to the dead-letter topic, with where they came from in their headers, and wait until the
        cluster has them. Raises as `offsets`."""
        assert self._server.dead_letter_topic is not None
        failed = list[Any]()
        if self._producer is None:
            self._producer = self._client.Producer(
                self._conf | {"enable.idempotence": True, "message.timeout.ms": 30_000}
            )
        producer = self._producer

        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                failed.append(error)

        with self._told_in_our_words():
            for one in records.to_pylist():
                headers = [(header["name"], header["value"]) for header in one["headers"] or ()] + [
                    ("reliability.source", self._source.encode()),
                    ("reliability.topic", self.name.encode()),
                    ("reliability.partition", str(one["partition"]).encode()),
                    ("reliability.offset", str(one["offset"]).encode()),
                ]
                send = {"key": one["key"], "headers": headers, "on_delivery": delivered}
                try:
                    producer.produce(self._server.dead_letter_topic, value=one["value"], **send)
                except self._client.KafkaException as error:
                    if error.args[0].code() != self._client.KafkaError.MSG_SIZE_TOO_LARGE:
                        raise
                    headers.append(("reliability.without_value", b"the record is larger than the topic takes"))
                    producer.produce(self._server.dead_letter_topic, value=None, **send)
                producer.poll(0)
            left = producer.flush(CONNECT_SECONDS * 4)
        if left or failed:
            words = self._words(failed[0])[1] if failed else "does not answer"
            raise SourceUnavailableError(
                f"{self._named} did not take dead letters for the topic {self._server.dead_letter_topic}: it {words}."
            )

    def _raise_fatal(self) -> None:
        """What the client has noted beside the records, where no broker is left. What does not come now comes the next time."""
        codes = self._client.KafkaError
        fatal = {codes._AUTHENTICATION, codes._ALL_BROKERS_DOWN, codes._SSL}
        for error in self._errors:
            if error.fatal() or error.code() in fatal:
                raise self._client.KafkaException(error)

    @contextmanager
    def _told_in_our_words(self) -> Iterator[None]:
        try:
            yield
        except self._client.KafkaException as error:
            self._consumer.poll(0)  # what the client knows of the connection says more than that it took too long
            codes = self._client.KafkaError
            why = [one for one in self._errors if one.code() in (codes._AUTHENTICATION, codes._SSL)]
            kind, words = self._words((why or error.args)[0])
            raise kind(f"{self._named} {words}.") from None

    def _words(self, error: Any) -> tuple[type[PlatformError], str]:
        codes, code = self._client.KafkaError, error.code()
        meanings: tuple[tuple[set[int], type[PlatformError], str], ...] = (
            ({codes._AUTHENTICATION, codes.SASL_AUTHENTICATION_FAILED, codes.UNSUPPORTED_SASL_MECHANISM},
             EnvironmentUnusableError, "refuses who asks: look at user and credentials of its server, and at sasl.mechanism"),
            ({codes._SSL}, EnvironmentUnusableError, "cannot be verified over TLS: say caFile where its authority is your own"),
            ({codes.UNKNOWN_TOPIC_OR_PART, codes._UNKNOWN_TOPIC, codes._UNKNOWN_PARTITION, codes.TOPIC_EXCEPTION},
             EnvironmentUnusableError, f"has no topic {self.name}: look at the table's physicalName"),
            ({codes.TOPIC_AUTHORIZATION_FAILED, codes.GROUP_AUTHORIZATION_FAILED, codes.CLUSTER_AUTHORIZATION_FAILED},
             EnvironmentUnusableError, f"does not let {self._server.user or 'us'} at the topic {self.name}"),
            ({codes._AUTO_OFFSET_RESET, codes.OFFSET_OUT_OF_RANGE}, EnvironmentUnusableError,
             f"does not have the offset of the topic {self.name} that follows on what has landed: was the topic made anew? "
             "Declare it as a source of another name, or bring the records back"),
            ({codes.MSG_SIZE_TOO_LARGE}, EnvironmentUnusableError, "finds a record larger than the topic takes"),
        )  # fmt: skip
        told = ((kind, words) for known, kind, words in meanings if code in known)
        return next(told, (SourceUnavailableError, "does not answer"))


@contextmanager
def opened(server: Server, contract: Contract) -> Iterator[Topic]:
    """The topic of a contract. Raises `EnvironmentUnusableError` if it cannot be asked as the contract says."""
    topic = Topic(_client(), server, contract)
    try:
        yield topic
    finally:
        topic.close()


def _table(client: Any, messages: Sequence[Any]) -> pa.Table:
    """Records as a table, column by column: no loop of ours over them."""
    one = client.Message
    moments = np.fromiter(map(itemgetter(1), map(one.timestamp, messages)), np.int64, len(messages))
    headers: list[Any] = list(map(one.headers, messages))
    if any(headers):
        headers = [some and [{"name": name, "value": value} for name, value in some] for some in headers]
    return pa.table(
        [
            pa.repeat(pa.scalar(messages[0].partition(), pa.int32()), len(messages)),
            pa.array(list(map(one.offset, messages)), pa.int64()),
            pa.array(moments, mask=moments < 0).cast(pa.timestamp("ms")),
            pa.array(list(map(one.key, messages)), pa.binary()),
            pa.array(list(map(one.value, messages)), pa.binary()),
            pa.array(headers, RECORDS.field("headers").type),
        ],
        schema=RECORDS,
    )
