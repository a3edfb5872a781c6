"""Landing of a topic is killed at random moments while a producer in another process goes on: each record lands once."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from reliability_platform.landing.stream_positions import offsets_landed
from reliability_platform.settings import Settings, load_settings
from tests.kafka_broker import Broker, running_broker
from tests.object_store import ObjectStore, object_store
from tests.unit.stream_killed import AFTER, ASKED, DURING, SILENT
from tests.unit.test_stream_source import SOURCE, landed_batches

PRODUCER = """
import json, sys, time
from pathlib import Path
from confluent_kafka import Producer
address, topic, stop = sys.argv[1], sys.argv[2], Path(sys.argv[3])
producer = Producer({"bootstrap.servers": address, "linger.ms": 5, "log_level": 0})
number, first, step = 0, 1767571200000, 100_000
while not stop.exists():
    for number in range(number, number + 60):
        value = b"{broken" if number % 100 == 7 else json.dumps({"order_id": f"o{number}"}).encode()
        moment = first + min(number * step, 4 * 86_400_000 - 1)
        producer.produce(topic, value, partition=number % 3, key=str(number).encode(), timestamp=moment)
    producer.flush()
    number += 1
    time.sleep(0.2)
print(number)
"""
"""300 records a second at most, over four days, until a file is there; some cannot be decoded."""


def start(home: Settings, broker: Broker, topic: str, now: str) -> subprocess.Popen[bytes]:
    """A process that has begun to land."""
    command = [sys.executable, "-m", "tests.unit.stream_killed", str(home.home), broker.address, topic, now]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"begins\n"
    return process


def _kill_at_random(tmp_path: Path, kills: int, seed: int) -> tuple[int, Counter[int]]:
    """How many records were sent, and how often each has landed."""
    moments, killed, stop = random.Random(seed), 0, tmp_path / "stop"
    home, topic = load_settings(tmp_path / "home"), "orders"
    with running_broker() as broker:
        broker.make(topic)
        broker.make(f"{topic}.dead", 1)
        producer = subprocess.Popen(
            [sys.executable, "-c", PRODUCER, broker.address, topic, str(stop)], stdout=subprocess.PIPE
        )
        began = time.monotonic()
        assert start(home, broker, topic, DURING).wait(120) == 0
        took = (time.monotonic() - began) / 2
        while killed < kills:
            process, began = start(home, broker, topic, DURING), time.monotonic()
            if moments.random() < 0.3:  # a broker that does not answer for a while
                broker.process.send_signal(signal.SIGSTOP)
                time.sleep(moments.uniform(0.1, 1))
                broker.process.send_signal(signal.SIGCONT)
            try:
                assert process.wait(took * moments.uniform(0.05, 1)) == 0
                took = time.monotonic() - began
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
                took *= 1.1
        stop.touch()
        sent = int(producer.communicate(timeout=60)[0])
        both = [start(home, broker, topic, AFTER), start(home, broker, topic, AFTER)]
        assert [one.wait(300) for one in both] == [0, 0]
    found = Counter[int]()
    for day in ASKED:
        for batch in landed_batches(home, day):
            found.update(int(key) for key in batch["key"].to_pylist())
        assert [one.closes for one in offsets_landed(home, SOURCE, topic, day)].count(True) == 1
    return sent, found


@pytest.mark.timeout(3_600)  # 25 minutes on a machine with a load of 12
@pytest.mark.exhaustive  # minutes: 60 processes are killed, and each takes seconds to begin; two took 20 to 60 s
def test_landing_that_is_killed_sixty_times_lands_each_record_once(tmp_path: Path) -> None:
    sent, found = _kill_at_random(tmp_path, kills=60, seed=2)
    assert sent > 5_000
    assert found == Counter(range(sent))


class Place(NamedTuple):
    """A record at its place in the topic."""

    partition: int
    offset: int
    key: bytes


def _held(broker: Broker, topic: str) -> list[Place]:
    """What a topic of three partitions has, as a client reads it that knows nothing of landing."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "held", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(3)])
    found, ended = list[Place](), set[int]()
    while len(ended) < 3:
        for one in consumer.consume(10_000, 1):
            if one.error() is None:
                found.append(Place(one.partition(), one.offset(), one.key()))
            else:
                assert one.error().code() == KafkaError._PARTITION_EOF
                ended.add(one.partition())
    consumer.close()
    return found


def _kill_both_at_random(
    tmp_path: Path, store: ObjectStore, kills: int, seed: int
) -> tuple[Counter[Place], Counter[Place]]:
    """What the topic has in the end, and what has landed of it, while the broker is killed as often as who lands."""
    moments, ended, stop = random.Random(seed), Counter[int](), tmp_path / "stop"
    home, topic = load_settings(tmp_path / "home"), "orders"
    later = (
        datetime.fromisoformat(DURING) + timedelta(minutes=one) for one in count()
    )  # longer than a breaker is open
    with running_broker(store=store) as broker:
        broker.make(topic)
        broker.make(f"{topic}.dead", 1)
        producer = subprocess.Popen(
            [sys.executable, "-c", PRODUCER, broker.address, topic, str(stop)], stdout=subprocess.PIPE
        )
        for _ in range(kills):
            process = start(home, broker, topic, next(later).isoformat())
            time.sleep(moments.uniform(0.05, 1.5))
            broker.kill()
            time.sleep(moments.uniform(0, 1))
            if moments.random() < 0.3:
                process.kill()
            broker.start()
            ended[process.wait(120)] += 1
        stop.touch()
        producer.communicate(timeout=60)
        assert start(home, broker, topic, AFTER).wait(300) == 0
        held = Counter(_held(broker, topic))
    found = Counter[Place]()
    for day in ASKED:
        for batch in landed_batches(home, day):
            found.update(Place(**one) for one in batch.select(Place._fields).to_pylist())
    assert set(ended) <= {0, SILENT, -signal.SIGKILL} and ended[SILENT] > 0, ended
    return held, found


@pytest.mark.timeout(3_600)
@pytest.mark.exhaustive  # two minutes: a broker that begins thirty times, and a process each time
def test_a_broker_that_is_killed_thirty_times_costs_no_record_and_doubles_none(tmp_path: Path) -> None:
    with object_store() as store:
        held, found = _kill_both_at_random(tmp_path, store, kills=20, seed=4)
    assert len(held) > 1_000
    assert found == held
