"""Where snapshots are: any place that fsspec reaches, a local folder by default.

`objects/<two letters>/<sha256>` holds contents, each once and never changed; `manifests/<id>.json` says what a
snapshot consists of. With a key all of them are encrypted, and their names end in `.age`; who
sees the place and has a file of his own can tell by its checksum whether it is there. One home to a location.
"""

import hashlib
import io
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from reliability_platform.elsewhere import Elsewhere
from reliability_platform.encryption import SUFFIX, AgeKey, Digested, NotDecryptedError
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import Settings, variable

OBJECTS, MANIFESTS = "objects", "manifests"
KEY_PROOF = "key.age"
"""Encrypted with the key of the place: whoever has another one is told so, and not that everything is damaged."""
PARTIAL = ".partial-"
CHUNK_BYTES = 4 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


class SnapshotDamagedError(EnvironmentUnusableError):
    """A stored content is missing or is not what its name says."""


class SnapshotLocation:
    """Contents by checksum and manifests by name. Every write is finished before it gets its name."""

    def __init__(self, url: str, key: AgeKey | None = None) -> None:
        self._key, self._suffix, self._is_right = key, SUFFIX if key else "", key is None
        self._place = Elsewhere.open(url, "RELIABILITY_SNAPSHOT_URL", "the snapshots")
        self._fs, self.folder, self.shown = self._place.fs, self._place.folder, self._place.shown

    @classmethod
    def of(cls, settings: Settings) -> "SnapshotLocation":
        """The location that the settings name."""
        return cls(
            settings.snapshots,
            AgeKey(settings.snapshot_key, variable("snapshot_key")) if settings.snapshot_key else None,
        )

    def lies_in(self, home: Path) -> bool:
        """Whether the snapshots would be lost together with a home."""
        return self.folder is not None and self.folder.resolve().is_relative_to(home.resolve())

    def _object(self, sha256: str) -> str:
        if not SHA256.fullmatch(sha256):
            raise SnapshotDamagedError(f"{sha256[:80]!r} is not a checksum: the manifest is damaged.")
        return self._place.path(OBJECTS, sha256[:2], sha256 + self._suffix)

    def _manifest(self, name: str) -> str:
        return self._place.path(MANIFESTS, f"{name}.json{self._suffix}")

    def _names(self, folder: str) -> Iterator[tuple[str, int]]:
        """Names without the suffix, and sizes as stored. Raises `EnvironmentUnusableError` where others are encrypted than should be."""
        # A listing that a library keeps would hide what another process wrote.
        self._fs.invalidate_cache()
        try:
            found: dict[str, dict[str, Any]] = self._fs.find(self._place.path(folder), detail=True)
        except FileNotFoundError:
            return
        for path, about in found.items():
            name = path.rsplit("/", 1)[-1]
            if name.endswith(SUFFIX) is (self._key is None) and not name.startswith("."):
                raise EnvironmentUnusableError(
                    f"The snapshots in {self.shown} are encrypted: say with RELIABILITY_SNAPSHOT_KEY where their key is."
                    if self._key is None
                    else f"The snapshots in {self.shown} are not encrypted: name another place with RELIABILITY_SNAPSHOT_URL, "
                    "or take RELIABILITY_SNAPSHOT_KEY away."
                )
            yield name.removesuffix(self._suffix), int(about.get("size") or 0)

    def _checked_key(self) -> AgeKey | None:
        """The key of this place. Raises `EnvironmentUnusableError` if what is stored was encrypted with another one."""
        if self._is_right or self._key is None:
            return self._key
        try:
            self._key.decrypted_bytes(bytes(self._fs.cat_file(self._place.path(KEY_PROOF))))
        except FileNotFoundError:
            pass  # the place is new
        except NotDecryptedError:
            raise EnvironmentUnusableError(
                f"The snapshots in {self.shown} are encrypted with another key than the one that RELIABILITY_SNAPSHOT_KEY leads "
                "to: without theirs nobody can read them."
            ) from None
        self._is_right = True
        return self._key

    def objects(self) -> dict[str, int]:
        """Bytes as stored by checksum of every finished content."""
        return {name: size for name, size in self._names(OBJECTS) if SHA256.fullmatch(name)}

    def put(self, source: Path, sha256: str) -> None:
        """Store a file whose checksum was taken before. Raises `FileChangedError` if it is another one by now."""
        with source.open("rb") as file:
            self._write(self._object(sha256), file, sha256)

    def adopt(self, source: Path, sha256: str) -> None:
        """Store a file that nobody needs afterwards: in a folder of the same disk it is moved instead of copied."""
        target = Path(self._object(sha256))
        is_moved = self.folder is not None and self._key is None
        if is_moved:
            target.parent.mkdir(parents=True, exist_ok=True)
        # To another disk a move is a copy under the final name: broken off, it would be taken for a whole content.
        if not is_moved or target.parent.stat().st_dev != source.stat().st_dev:
            self.put(source, sha256)
            return
        with source.open("rb") as file:
            os.fsync(file.fileno())
        self._fs.mv(str(source), str(target))

    def _write(self, target: str, source: IO[bytes], expected: str | None = None) -> None:
        draft = self._place.path(f"{PARTIAL}{uuid.uuid4().hex}")
        self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        digested = Digested(source)
        key = self._checked_key()
        try:
            if key is not None and not self._fs.exists(self._place.path(KEY_PROOF)):
                self._fs.pipe_file(self._place.path(KEY_PROOF), key.encrypted_bytes(b"the key of these snapshots"))
            with (
                key.encrypted(digested) if key is not None else nullcontext(digested) as content,
                self._fs.open(draft, "wb") as file,
            ):
                while chunk := content.read(CHUNK_BYTES):
                    file.write(chunk)
                if self.folder is not None:
                    file.flush()
                    os.fsync(file.fileno())
            if expected is not None and digested.sha256 != expected:
                raise FileChangedError(target)
            self._fs.mv(draft, target)
        except BaseException:
            if self._fs.exists(draft):
                self._fs.rm(draft)
            raise

    def fetch(self, sha256: str, target: Path) -> None:
        """Write a content to a new file. Raises `SnapshotDamagedError` if it is not what its checksum says."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("wb") as file:
                is_whole = self._read(sha256, file)
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            raise SnapshotDamagedError(f"The content {sha256[:12]}… is missing in {self.shown}.") from None
        if not is_whole:
            target.unlink()
            raise SnapshotDamagedError(f"The content {sha256[:12]}… in {self.shown} is damaged: its checksum differs.")

    def _read(self, sha256: str, target: IO[bytes] | None) -> bool:
        """Write a content to a file, or nowhere; whether it is what its checksum says."""
        key, written = self._checked_key(), _Digesting(target)
        with self._fs.open(self._object(sha256), "rb") as source:
            if key is None:
                while chunk := source.read(CHUNK_BYTES):
                    written.write(chunk)
            else:
                try:
                    key.decrypt(source, written)
                except NotDecryptedError:
                    return False
        return written.sha256 == sha256

    def damage(self, sha256: str) -> str | None:
        """What is wrong with a content: `missing`, `damaged`, or nothing."""
        try:
            return None if self._read(sha256, None) else "damaged"
        except FileNotFoundError:
            return "missing"

    def manifests(self) -> list[str]:
        """The names of the manifests, oldest first."""
        return sorted(
            name.removesuffix(".json")
            for name, _ in self._names(MANIFESTS)
            if name.endswith(".json") and not name.startswith(".")
        )

    def read_manifest(self, name: str) -> bytes:
        """The bytes of one manifest."""
        content = bytes(self._fs.cat_file(self._manifest(name)))
        key = self._checked_key()
        try:
            return content if key is None else key.decrypted_bytes(content)
        except NotDecryptedError:
            return b""  # whoever reads it finds that it is no manifest

    def write_manifest(self, name: str, content: bytes) -> None:
        """The last step of a snapshot."""
        self._write(self._manifest(name), io.BytesIO(content))

    def remove_manifest(self, name: str) -> None:
        """The first step of forgetting a snapshot."""
        self._fs.rm_file(self._manifest(name))

    def remove_object(self, sha256: str) -> None:
        """Forget a content that no manifest names."""
        self._fs.rm_file(self._object(sha256))

    def remove_drafts(self) -> int:
        """Remove what a killed process left half-written; returns how many there were."""
        try:
            names = [path for path in self._fs.ls(self._place.root, detail=False) if PARTIAL in path.rsplit("/", 1)[-1]]
        except FileNotFoundError:
            return 0
        for path in names:
            self._fs.rm_file(path)
        return len(names)


class _Digesting:
    """A file to write to, or none, and the SHA-256 of what was written."""

    def __init__(self, target: IO[bytes] | None) -> None:
        self._target = target
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, content: bytes) -> int:
        self._digest.update(content)
        if self._target is not None:
            self._target.write(content)
        return len(content)

    def flush(self) -> None:
        """Nothing is held back here."""


class FileChangedError(Exception):
    """A file changed while it was read; whoever reads it looks again."""
