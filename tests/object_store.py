"""A real object store for tests, SeaweedFS from its wheel: on loopback, with keys, gone afterwards."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import fsspec
from s3fs import S3FileSystem

KEY, SECRET = "KEYIDcanary", "hunter2canary"
BUCKET = "airline"
PORTS = (
    "-master.port", "-master.port.grpc", "-volume.port", "-volume.port.grpc", "-filer.port", "-filer.port.grpc",
    "-s3.port", "-s3.port.grpc",
)  # fmt: skip

UNUSED = ("-s3.port.iceberg=0", "-s3.port.lance=0")
"""Servers of its on ports of their own: of two stores at once the second would end."""


@dataclass
class ObjectStore:
    """One that can die, hang and come back."""

    url: str
    """Where it listens."""
    words: list[str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """With what it had when it died."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(self.words, stdout=log, stderr=log)
        _wait_for(self)

    def kill(self) -> None:
        """At once: it takes half a minute to take its leave."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Let it take requests and answer none, until it is woken."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it answer again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def put(self, name: str, content: str) -> None:
        """An object of the bucket, new or in place of another."""
        self.system.pipe(f"{BUCKET}/{name}", content.encode())

    @cached_property
    def system(self) -> fsspec.AbstractFileSystem:
        """As its owner: one client, which takes 0.15 s of CPU, and listings that are never those of before."""
        more = {"skip_instance_cache": True, "use_listings_cache": False}
        return fsspec.filesystem("s3", key=KEY, secret=SECRET, endpoint_url=self.url, **more)


def as_owner(store: ObjectStore) -> dict[str, str]:
    """The environment of a program that is to read and write there, by the names of AWS."""
    return {
        "AWS_ENDPOINT_URL": store.url,
        "AWS_ENDPOINT": store.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """One with a bucket."""
    S3FileSystem.clear_instance_cache()  # they keep the address of the store of an earlier test
    folder = Path(tempfile.mkdtemp(prefix="weed-"))
    allowed = {
        "name": "owner",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [allowed]}))
    with ExitStack() as free:
        sockets = [free.enter_context(socket.socket()) for _ in PORTS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = dict(zip(PORTS, (one.getsockname()[1] for one in sockets), strict=True))
    words = [
        str(Path(sys.executable).parent / "weed"), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer",
        "-s3", f"-s3.config={folder / 's3.json'}", *UNUSED, "-volume.max=8", "-master.volumeSizeLimitMB=64",
        *(f"{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    store = ObjectStore(f"http://127.0.0.1:{ports['-s3.port']}", words, folder)
    try:
        store.start()
        yield store
    finally:
        store.kill()
        shutil.rmtree(folder, ignore_errors=True)
        S3FileSystem.clear_instance_cache()  # the store of the session may be asked next


def _wait_for(store: ObjectStore) -> None:
    ends = time.monotonic() + 90
    while True:
        try:
            with suppress(FileExistsError):
                store.system.mkdir(BUCKET)
            store.put("ready", "")
            store.system.rm(f"{BUCKET}/ready")
        except Exception:  # whatever a driver raises
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
        else:
            return
