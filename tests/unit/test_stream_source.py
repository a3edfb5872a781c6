"""A source that is a topic: each record lands once, days close by offsets, a bad record costs itself alone."""

import io
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from google.protobuf import timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

from reliability_platform.atomic import parquet_bytes
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Cadence, Column, Contract
from reliability_platform.contracts.file_format import FileFormat
from reliability_platform.contracts.inference.document import contract_text
from reliability_platform.contracts.inference.session import proposed
from reliability_platform.contracts.odcs import read_contracts
from reliability_platform.contracts.protobuf_schema import message_class, protobuf_schema
from reliability_platform.contracts.servers import KAFKA, Server
from reliability_platform.errors import UsageError
from reliability_platform.landing.admission import admit
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.deliveries import Landed, fetch, unreachable
from reliability_platform.landing.replacement import landed_manifests
from reliability_platform.landing.stream import read_again, read_topics
from reliability_platform.landing.stream_lag import lag_of
from reliability_platform.landing.stream_positions import Lost, missing_offsets, offsets_landed
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.re_request import request as request_again
from reliability_platform.remediation.evidence import missing_slots
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources import kafka
from reliability_platform.sources.batch import Batch, batch_id
from reliability_platform.sources.kafka import Offsets, Topic, configuration
from reliability_platform.sources.sampling import sample_of, server_of
from tests.kafka_broker import Broker, running_broker
from tests.tls_in_front import authority

SOURCE, TOPIC = "orders", "shop.orders"
DAY = date(2026, 1, 5)
NEXT = DAY + timedelta(days=1)
AFTER = datetime(2026, 1, 6, 0, 30, tzinfo=UTC)
MIDNIGHT = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
TEXT, MESSAGE = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_MESSAGE
CONTRACT = Contract(
    source=SOURCE,
    key=("order_id",),
    event_time="ordered_at",
    columns=(
        Column("order_id", "VARCHAR", required=True),
        Column("ordered_at", "TIMESTAMP", required=True),
        Column("amount", "DECIMAL(12,2)", required=False),
    ),
    cadence=Cadence(),
    deadline_minutes=60,
    owner="ops@example.com",
    critical=False,
    kind="stream",
    file_format=FileFormat("json"),
    table=TOPIC,
)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """One for the module; each test has topics of its own."""
    with running_broker() as found:
        yield found


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic of three partitions that the source is."""
    name = request.node.name.replace("[", "-").replace("]", "")
    broker.make(name)
    declare(monkeypatch, broker, name)
    return name


def declare(
    monkeypatch: pytest.MonkeyPatch, broker: Broker, topic: str, server: Server | None = None, **more: Any
) -> None:
    """Let the source be this topic."""
    declare_at(monkeypatch, topic, server or Server(KAFKA, broker.address, "cluster"), **more)


def declare_at(monkeypatch: pytest.MonkeyPatch, topic: str, server: Server, **more: Any) -> None:
    """The same at any server."""
    monkeypatch.setitem(CONTRACTS, SOURCE, replace(CONTRACT, table=topic, servers=(server,), **more))


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Where it lands."""
    return load_settings(tmp_path / "home")


def order(number: int, hour: float, **more: Any) -> bytes:
    """A record."""
    moment = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=hour)
    return json.dumps({"order_id": f"o{number}", "ordered_at": moment.isoformat(), "amount": 12.5} | more).encode()


def sent(number: int, hour: float, partition: int = 0) -> tuple[int, bytes, int]:
    """The same with its partition and its time in the topic."""
    return partition, order(number, hour), MIDNIGHT + int(hour * HOUR)


def land(home: Settings, now: datetime = AFTER, *days: date) -> Landed:
    """One fetch of some days."""
    return fetch(home, operations_engine(home), SOURCE, days or [DAY], lambda: now)


def landed_batches(home: Settings, day: date) -> list[pa.Table]:
    """The records of a landing day, a table for each batch with a manifest."""
    folder = landing_folder(home, SOURCE, day)
    return [pq.ParquetFile(folder / f"{one.batch_id}.parquet").read() for one in landed_manifests(home, SOURCE, day)]


def landed_offsets(home: Settings, day: date) -> dict[int, list[int]]:
    """By partition, the offsets in the files of a landing day."""
    found: dict[int, list[int]] = {}
    for table in landed_batches(home, day):
        for one in table.select(["partition", "offset"]).to_pylist():
            found.setdefault(one["partition"], []).append(one["offset"])
    return {partition: sorted(offsets) for partition, offsets in found.items()}


def rows(home: Settings, day: date = DAY) -> list[dict[str, Any]]:
    """The rows of a day as admitted."""
    files = sorted(bronze_folder(home, SOURCE, day).glob("*.parquet"))
    return [one for path in files for one in pq.read_table(path, partitioning=None).to_pylist()]


def test_a_day_is_the_records_of_its_time_and_is_closed_once_it_has_been_read_to_its_end(
    home: Settings, broker: Broker, topic: str
) -> None:
    broker.send(topic, [sent(1, 1), sent(2, 2, 1), sent(3, 23.99), sent(4, 24.1), sent(5, 25, 1)])
    landed = land(home)
    assert (landed.trouble, landed.rows, landed.batches) == ("", 3, 3)
    assert landed_offsets(home, DAY) == {0: [0, 1], 1: [0]}
    assert landed_offsets(home, NEXT) == {}
    [closing] = [one for one in offsets_landed(home, SOURCE, topic, DAY) if one.closes]
    assert closing.next == {0: 2, 1: 1, 2: 0}
    assert [one.status for one in admit(home, SOURCE, DAY)] == ["admitted"] * 3
    assert [(one["order_id"], str(one["amount"])) for one in rows(home)] == [
        ("o1", "12.50"),
        ("o3", "12.50"),
        ("o2", "12.50"),
    ]
    land(home, AFTER + timedelta(days=1), NEXT)
    assert landed_offsets(home, NEXT) == {0: [2], 1: [1]}


def test_reading_again_lands_nothing_twice(home: Settings, broker: Broker, topic: str) -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    broker.send(topic, [sent(1, 1), sent(2, 2)])
    land(home, noon)
    assert land(home, noon).rows == 2
    broker.send(topic, [sent(3, 11)])
    land(home, noon)
    assert landed_offsets(home, DAY) == {0: [0, 1, 2]}
    assert not any(one.closes for one in offsets_landed(home, SOURCE, topic, DAY))


def test_what_comes_after_a_day_was_closed_is_late_on_the_next(home: Settings, broker: Broker, topic: str) -> None:
    broker.send(topic, [sent(1, 1)])
    land(home)
    broker.send(topic, [sent(2, 23), sent(3, 24.2)])
    land(home, AFTER + timedelta(days=1), NEXT)
    assert landed_offsets(home, DAY) == {0: [0]}
    assert landed_offsets(home, NEXT) == {0: [1, 2]}


def test_a_record_that_cannot_be_decoded_costs_itself_alone(home: Settings, broker: Broker, topic: str) -> None:
    bad = [b"{broken", b"[1]", b'{"order_id": NaN}', b"\xff\xfe", None, b'{"order_id": "a", "order_id": "b"}']
    broker.send(topic, [(0, value, MIDNIGHT + HOUR) for value in [order(1, 1), *bad, order(2, 2)]])
    land(home)
    assert {one.status for one in admit(home, SOURCE, DAY)} == {"admitted"}
    admitted = rows(home)
    assert [one["order_id"] for one in admitted] == ["o1", *[None] * 6, "o2"]
    told = [json.loads(one["_rescued"])["ordered_at"] for one in admitted[1:7]]
    assert told == [
        "{broken",
        "[1]",
        '{"order_id": NaN}',
        "bytes FFFE",
        "no value",
        '{"order_id": "a", "order_id": "b"}',
    ]


def test_avro_is_read_by_the_schema_beside_the_contract(
    home: Settings, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastavro import parse_schema, schemaless_writer

    schema = {
        "type": "record",
        "name": "order",
        "fields": [
            {"name": "order_id", "type": "string"},
            {"name": "ordered_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        ],
    }

    def written(**said: Any) -> bytes:
        stream = io.BytesIO(b"\x00\x00\x00\x00\x07")
        stream.seek(5)
        schemaless_writer(stream, parse_schema(schema), said)
        return stream.getvalue()

    good = written(order_id="o1", ordered_at=datetime(2026, 1, 5, 1, tzinfo=UTC), amount=Decimal("3.50"))
    declare(monkeypatch, broker, topic, file_format=FileFormat("avro", schema=json.dumps(schema), skip=5))
    broker.send(topic, [(0, good, MIDNIGHT), (0, good[:-2], MIDNIGHT), (0, good + b"x", MIDNIGHT)])
    land(home)
    assert {one.status for one in admit(home, SOURCE, DAY)} == {"admitted"}
    first = rows(home)[0]
    assert (first["order_id"], first["ordered_at"], str(first["amount"])) == ("o1", datetime(2026, 1, 5, 1), "3.50")
    assert [one["_rescued"] is None for one in rows(home)] == [True, False, False]


def order_schema() -> FileDescriptorSet:
    """Of a message with a moment, an enum and a field that may be missing, as `protoc` writes it with what it imports."""
    schema = FileDescriptorSet()
    timestamp_pb2.DESCRIPTOR.CopyToProto(schema.file.add())
    file = schema.file.add(
        name="order.proto", package="shop", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    order = file.message_type.add(name="Order")
    order.field.add(name="order_id", number=1, type=TEXT)
    order.field.add(name="ordered_at", number=2, type=MESSAGE, type_name=".google.protobuf.Timestamp")
    order.field.add(name="amount", number=3, type=TEXT, proto3_optional=True, oneof_index=0)
    order.oneof_decl.add(name="_amount")
    return schema


def test_protobuf_is_read_by_the_descriptors_beside_the_contract(
    home: Settings, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = order_schema()
    newer = order_schema()
    newer.file[1].message_type[0].field.add(name="note", number=9, type=TEXT)
    written, format_of = (protobuf_schema(one.SerializeToString(), "shop.Order") for one in (newer, schema))
    order = message_class(written, "shop.Order")

    def sent_as(hour: int | None = None, **said: str) -> tuple[int, bytes, int]:
        one = order(**said)
        if hour is not None:
            one.ordered_at.seconds = MIDNIGHT // 1000 + hour * 3600  # type: ignore[attr-defined]
        return 0, bytes(6) + one.SerializeToString(), MIDNIGHT

    declare(
        monkeypatch, broker, topic, file_format=FileFormat("protobuf", schema=format_of, message="shop.Order", skip=6)
    )
    whole = sent_as(order_id="o1", hour=1, amount="3.50", note="of a newer schema")
    broker.send(
        topic,
        [
            whole,
            sent_as(order_id="o2", hour=1),
            (0, whole[1][:-2], MIDNIGHT),
            sent_as(note="nothing that is known"),
            (0, b"123", MIDNIGHT),
            (0, None, MIDNIGHT),
        ],
    )
    land(home)
    assert {one.status for one in admit(home, SOURCE, DAY)} == {"admitted"}
    read = [(one["order_id"], one["ordered_at"], one["amount"], one["_rescued"] is None) for one in rows(home)]
    at = datetime(2026, 1, 5, 1)
    assert read[:2] == [("o1", at, Decimal("3.50"), True), ("o2", at, None, True)]
    assert [one[3] for one in read[2:]] == [False] * 4


@pytest.mark.parametrize(
    ("content", "message", "said"),
    [
        (b'syntax = "proto3";', "shop.Order", "which is no set of descriptors"),
        (b"", "shop.Order", "which is no set of descriptors"),
        (order_schema().SerializeToString(), "shop.Orders", "which has no message 'shop.Orders': choose one of"),
        (order_schema().SerializeToString(), None, "shop.Order"),
        (FileDescriptorSet(file=order_schema().file[1:]).SerializeToString(), "shop.Order", "lacks what it imports"),
    ],
)
def test_what_is_no_schema_of_the_message_is_refused_in_one_line(
    written: Path, content: bytes, message: str | None, said: str
) -> None:
    (written.parent / "events.desc").write_bytes(content)
    named = f", message: {message}" if message else ""
    written.write_text(
        WRITTEN.replace(
            "{format: avro, schema: events.avsc, skip: 5}", f"{{format: protobuf, schema: events.desc{named}}}"
        )
    )
    with pytest.raises(UsageError, match=re.escape(said)):
        read_contracts(written)


def test_a_topic_into_which_somebody_writes_without_a_pause_is_read_to_where_it_ended(
    home: Settings, broker: Broker, topic: str
) -> None:
    over = threading.Event()

    def write() -> None:
        producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
        while not over.wait(0.2):  # less than the client waits for more before it says that there is none
            for partition, value, moment in (sent(number, 1, number % 3) for number in range(60)):
                producer.produce(topic, value, partition=partition, timestamp=moment)
            producer.flush(10)

    broker.send(topic, [sent(1, 1, one) for one in range(3)])
    writer = threading.Thread(target=write)
    writer.start()
    try:
        began = time.monotonic()
        landed = land(home, datetime(2026, 1, 5, 12, tzinfo=UTC))
        assert time.monotonic() - began < home.fetch_budget_seconds / 10
        assert writer.is_alive()
    finally:
        over.set()
        writer.join()
    assert landed.rows >= 3
    land(home, datetime(2026, 1, 5, 13, tzinfo=UTC))
    last = lag_of(home, SOURCE)
    assert last is not None
    assert last.records == 0


def test_records_that_a_topic_did_not_keep_are_told_with_their_offsets(
    home: Settings, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.send(topic, [sent(number, 1) for number in range(4)])
    land(home)
    broker.send(topic, [sent(number, 25) for number in range(4, 10)])
    asked = Topic.offsets

    def kept_from_the_seventh(self: Topic) -> dict[int, Offsets]:
        return {one: Offsets(7, there.end) if one == 0 else there for one, there in asked(self).items()}

    monkeypatch.setattr(Topic, "offsets", kept_from_the_seventh)
    land(home, AFTER + timedelta(days=1), NEXT)
    assert landed_offsets(home, NEXT) == {0: [7, 8, 9]}
    [lost] = [lost for one in offsets_landed(home, SOURCE, topic, NEXT) for lost in one.lost]
    assert (lost, lost.records) == (Lost(0, 4, 6), 3)
    assert [missing_offsets(home, SOURCE, topic, day) for day in (DAY, NEXT)] == [0, 3]
    land(home, AFTER + timedelta(days=2), NEXT + timedelta(days=1))
    assert not [one.lost for one in offsets_landed(home, SOURCE, topic, NEXT + timedelta(days=1)) if one.lost]


def test_a_batch_is_read_again_by_its_offsets(home: Settings, broker: Broker, topic: str) -> None:
    broker.send(topic, [sent(1, 1), sent(2, 2), sent(3, 30)])
    land(home)
    landed = landing_folder(home, SOURCE, DAY) / f"{batch_id(SOURCE, DAY, 2)}.parquet"
    again = read_again(home, SOURCE, DAY, 2, 2, lambda: AFTER)
    assert parquet_bytes(again.table) == landed.read_bytes()
    landed.write_bytes(b"torn")
    assert {one.reason for one in admit(home, SOURCE, DAY)} == {None, "checksum_mismatch"}
    request_again(home, SOURCE, {DAY: {2}})
    records = admit(home, SOURCE, DAY)
    assert sorted((one.status, one.state, one.batch_attempt) for one in records) == [
        ("admitted", "admitted", 1), ("admitted", "admitted", 2), ("refused", "superseded", 1),
    ]  # fmt: skip
    assert [one["order_id"] for one in rows(home)] == ["o1", "o2"]


def test_a_day_that_was_not_read_to_its_end_is_missing_its_first_batch_until_it_is_asked_for_again(
    home: Settings, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.send(topic, [sent(1, 1)])
    declare(monkeypatch, broker, topic, server=Server(KAFKA, "127.0.0.1:1", "cluster"))
    monkeypatch.setattr(kafka, "CONNECT_SECONDS", 1.0)
    landed = land(home)
    assert landed.trouble == "The Kafka cluster at 127.0.0.1:1 does not answer."
    assert landed.fetch is not None and (landed.fetch.missing, landed.fetch.refusals) == (1, 1)
    admit(home, SOURCE, DAY)
    assert missing_slots(home, SOURCE, DAY) == {1}
    declare(monkeypatch, broker, topic)
    request_again(home, SOURCE, {DAY: {1}})
    assert landed_offsets(home, DAY) == {0: [0]}
    assert {one.status for one in admit(home, SOURCE, DAY)} == {"admitted"}
    assert missing_slots(home, SOURCE, DAY) == set()


def test_a_topic_that_is_not_there_is_named(home: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, broker, "nobody.has.it")
    assert (
        land(home).trouble
        == f"The Kafka cluster at {broker.address} has no topic nobody.has.it: look at the table's physicalName."
    )
    assert unreachable(home)[0].startswith(f"{SOURCE}: The Kafka cluster at {broker.address} has no topic")


def test_dead_letters_are_sent_with_where_they_came_from(
    home: Settings, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = f"{topic}.dead"
    broker.make(dead, 1)
    declare(monkeypatch, broker, topic, server=Server(KAFKA, broker.address, dead_letter_topic=dead))
    broker.send(topic, [sent(1, 1, 1), (1, b"{broken", MIDNIGHT + HOUR)], key=b"k", headers=[("trace", b"7")])
    land(home)
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(dead, 0, 0)])
    [one] = consumer.consume(1, timeout=10)
    consumer.close()
    assert (one.key(), one.value(), dict(one.headers())) == (
        b"k", b"{broken",
        {"trace": b"7", "reliability.source": b"orders", "reliability.topic": topic.encode(),
         "reliability.partition": b"1", "reliability.offset": b"1"},
    )  # fmt: skip
    assert landed_offsets(home, DAY) == {1: [0, 1]}


def test_the_package_is_asked_for_where_it_is_missing(
    home: Settings, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    assert land(home).trouble == (
        "A source that is a stream needs confluent-kafka: install the platform with its extra `kafka`."
    )


def test_who_asks_is_refused_in_one_line(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "not-the-one")
    with running_broker("--authentication") as guarded:
        server = Server(
            KAFKA,
            guarded.address,
            user="reader",
            credentials="env:KAFKA_PASSWORD",
            tls=False,
            options=(("sasl.mechanism", "PLAIN"),),
        )
        declare(monkeypatch, guarded, "any", server=server)
        monkeypatch.setattr(kafka, "CONNECT_SECONDS", 3.0)
        assert land(home).trouble.startswith(f"The Kafka cluster at {guarded.address} refuses who asks")


def test_brokers_are_spoken_to_in_tls_of_an_authority_that_is_trusted(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "CONNECT_SECONDS", 3.0)
    right, wrong = authority(tmp_path / "right", "127.0.0.1"), authority(tmp_path / "wrong", "127.0.0.1")
    with running_broker(certificate=right) as broker:
        broker.make(TOPIC)
        broker.send(TOPIC, [sent(1, 1), sent(2, 2, 1)])
        for hours, trusted in enumerate((wrong, right)):  # so long apart that the breaker lets both through
            declare_at(monkeypatch, TOPIC, Server(KAFKA, broker.address, ca_file=str(trusted.ca_file)))
            landed = land(home, AFTER + timedelta(hours=hours))
            if trusted is wrong:
                assert landed.trouble.startswith(f"The Kafka cluster at {broker.address} cannot be verified over TLS")
            assert landed_offsets(home, DAY) == ({} if trusted is wrong else {0: [0], 1: [0]})


WRITTEN = """
apiVersion: v3.1.0
kind: DataContract
id: events
version: 1.0.0
servers:
  - server: cluster
    type: kafka
    host: one.example.com:9092,two.example.com:9092
    customProperties:
      - {property: user, value: reader}
      - {property: credentials, value: "env:KAFKA_PASSWORD"}
      - {property: deadLetterTopic, value: shop.dead}
customProperties:
  - {property: eventTime, value: happened}
  - {property: fileFormat, value: {format: avro, schema: events.avsc, skip: 5}}
schema:
  - name: events
    physicalName: shop.events
    properties:
      - {name: id, logicalType: string, primaryKey: true}
      - {name: happened, logicalType: timestamp}
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A contract with its schema beside it."""
    (tmp_path / "events.avsc").write_text('{"type": "string"}')
    path = tmp_path / "events.yml"
    path.write_text(WRITTEN)
    return path


def test_a_contract_says_where_a_topic_is_and_how_its_records_are_written(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [contract] = read_contracts(written)
    assert (contract.kind, contract.table, contract.servers[0].dead_letter_topic) == (
        "stream",
        "shop.events",
        "shop.dead",
    )
    assert contract.file_format == FileFormat("avro", skip=5, schema='{"type": "string"}')
    monkeypatch.setenv("KAFKA_PASSWORD", "hidden")
    told = configuration(contract.servers[0])
    assert (told["security.protocol"], told["sasl.username"], told["sasl.password"]) == ("SASL_SSL", "reader", "hidden")
    assert "hidden" not in repr(contract)


@pytest.mark.parametrize(
    ("instead", "of", "said"),
    [
        ("host: one.example.com", "host: one.example.com:9092,two.example.com:9092", "names no brokers"),
        ("value: hidden", 'value: "env:KAFKA_PASSWORD"', "holds no secret"),
        ("schema: nowhere.avsc", "schema: events.avsc", "there is no such file beside the contract"),
        ("schema: ../events.avsc", "schema: events.avsc", "name the file of the schema"),
        ("format: csv", "format: avro", "fileFormat of a stream has the format json, or avro"),
        ("format: json", "format: avro", "knows no 'schema'"),
        ("id: events\nslaProperties: [{property: frequency, value: 4, unit: batches_per_day}]", "id: events", "remove the frequency"),
        ("  - {server: b, type: kafka, host: 'b:1', customProperties: [{property: fallback, value: true}]}\ncustomProperties:\n  - {property: ev",
         "customProperties:\n  - {property: ev", "no fallback"),
    ],
)  # fmt: skip
def test_what_a_stream_cannot_be_is_refused_in_one_line(written: Path, instead: str, of: str, said: str) -> None:
    written.write_text(WRITTEN.replace(of, instead, 1))
    with pytest.raises(UsageError, match=re.escape(said)):
        read_contracts(written)


@pytest.fixture
def mock_cluster() -> Iterator[str]:
    """Brokers of librdkafka itself, in this process: they know where a partition ends, and refuse what is beyond."""
    producer = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "none", "log_level": 0})
    yield ",".join(f"{one.host}:{one.port}" for one in producer.list_topics(timeout=10).brokers.values())


def send_to(cluster: str, topic: str, *records: tuple[int, bytes, int]) -> None:
    """The records of a topic of such a cluster."""
    producer = Producer({"bootstrap.servers": cluster, "log_level": 0})
    for partition, value, moment in records:
        producer.produce(topic, value, partition=partition, timestamp=moment)
    assert producer.flush(10) == 0


def test_what_waits_in_the_topic_is_measured(
    home: Settings, mock_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_at(monkeypatch, "lagging", Server(KAFKA, mock_cluster))
    send_to(mock_cluster, "lagging", sent(1, 23), sent(2, 24.5), sent(3, 25), sent(4, 26, 1))
    land(home)
    lag = lag_of(home, SOURCE)
    assert lag is not None
    assert (lag.records, lag.seconds, lag.newest_at) == (3, 5_400, datetime(2026, 1, 5, 23, tzinfo=UTC))
    land(home, AFTER + timedelta(days=1), NEXT)
    lag = lag_of(home, SOURCE)
    assert lag is not None and (lag.records, lag.seconds) == (0, 0)


def test_topics_are_read_through_the_day_once_they_have_begun(
    home: Settings, mock_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_at(monkeypatch, "through.the.day", Server(KAFKA, mock_cluster))
    send_to(mock_cluster, "through.the.day", sent(1, 1))
    read_topics(home, (), lambda: AFTER)
    assert lag_of(home, SOURCE) is None
    land(home)
    send_to(mock_cluster, "through.the.day", sent(2, 24.7))
    read_topics(home, (), lambda: AFTER + timedelta(minutes=4))
    read_topics(home, (SOURCE,), lambda: AFTER + timedelta(minutes=20))
    assert landed_offsets(home, NEXT) == {}
    read_topics(home, (), lambda: AFTER + timedelta(minutes=20))
    assert landed_offsets(home, NEXT) == {0: [1]}


def test_a_topic_that_was_made_anew_is_refused(
    home: Settings, broker: Broker, topic: str, mock_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.send(topic, [sent(number, 1) for number in range(5)])
    land(home)
    declare_at(monkeypatch, topic, Server(KAFKA, mock_cluster))
    send_to(mock_cluster, topic, sent(9, 25))
    told = land(home, AFTER + timedelta(days=1), NEXT).trouble
    assert told.startswith(
        f"The Kafka cluster at {mock_cluster} does not have the offset of the topic {topic} that follows"
    )
    assert landed_offsets(home, NEXT) == {}


def test_a_dead_letter_that_is_too_large_is_sent_without_its_value(
    home: Settings, mock_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(KAFKA, mock_cluster, options=(("message.max.bytes", 1000),), dead_letter_topic="dead")
    declare_at(monkeypatch, "large", server)
    send_to(mock_cluster, "large", (0, b"{" * 3_000, MIDNIGHT))
    assert land(home).trouble == ""
    consumer = Consumer({"bootstrap.servers": mock_cluster, "group.id": "reader", "log_level": 0})
    consumer.assign([TopicPartition("dead", number, 0) for number in range(4)])
    [one] = consumer.consume(1, timeout=10)
    consumer.close()
    assert one.value() is None
    assert "reliability.without_value" in dict(one.headers())
    assert landed_offsets(home, DAY) == {0: [0]}


def test_a_contract_is_proposed_of_what_a_topic_holds(broker: Broker, topic: str, tmp_path: Path) -> None:
    indented = json.dumps(json.loads(order(1000, 3)), indent=2).encode()
    values = [*(order(number, number / 20) for number in range(400)), b"{broken", indented]
    broker.send(topic, [(number % 3, value, MIDNIGHT) for number, value in enumerate(values)])
    server = server_of(f"kafka://{broker.address}", None)
    assert server == Server(KAFKA, broker.address, "cluster")
    sample = sample_of(server, topic, tmp_path, full=False)
    assert len(sample.read_text().splitlines()) == 401
    proposal = proposed("orders", [str(sample)], {}, full=False)
    proposal.in_database(server, topic, whole=True)
    (tmp_path / "orders.yml").write_text(contract_text(proposal, accepted=True))
    [contract] = read_contracts(tmp_path / "orders.yml")
    assert (contract.kind, contract.table, contract.event_time, contract.key) == (
        "stream", topic, "ordered_at", ("order_id",),
    )  # fmt: skip
    assert contract.servers == (server,)


@pytest.mark.parametrize("url", ["kafka://me:hunter2canary@one:9092", "kafka://"])
def test_an_address_with_a_password_is_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as told:
        server_of(url, None)
    assert "canary" not in str(told.value)


def test_a_batch_that_is_gone_from_landing_is_missed_by_its_offsets(home: Settings, broker: Broker, topic: str) -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    for hour in (1, 2, 3):
        broker.send(topic, [sent(hour * 10 + number, hour) for number in range(3)])
        land(home, noon)
    land(home)
    assert missing_offsets(home, SOURCE, topic, DAY) == 0
    folder = landing_folder(home, SOURCE, DAY)
    for slot, missing in ((3, 3), (4, 6)):
        for path in folder.glob(f"{batch_id(SOURCE, DAY, slot)}.*"):
            path.unlink()
        assert missing_offsets(home, SOURCE, topic, DAY) == missing


def test_rows_of_a_recording_are_read_as_rows(home: Settings, broker: Broker, topic: str) -> None:
    table = pa.table({"order_id": ["o1"], "ordered_at": [datetime(2026, 1, 5, 1)], "amount": [Decimal("1.00")]})
    written = {"kind": "scheduled", "produced_at": datetime(2026, 1, 5, 2), "landed_at": datetime(2026, 1, 5, 2)}
    write_batch(home, Batch(batch_id(SOURCE, DAY, 1), SOURCE, DAY, 1, 1, table=table, **written))
    assert [one.status for one in admit(home, SOURCE, DAY)] == ["admitted"]
    assert [one["order_id"] for one in rows(home)] == ["o1"]
