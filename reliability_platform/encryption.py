"""What lies elsewhere and nobody reads without its key, snapshots and a landing bucket: files of the age format (age-encryption.org/v1).

The key is an age identity, as `reliability snapshot new-key` and `age-keygen` write it. Whoever has it can decrypt what is stored
with the program `age`, too, without the platform. Names are not encrypted.
"""

import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO, Any

from reliability_platform.credentials import secret_text
from reliability_platform.errors import EnvironmentUnusableError

SUFFIX = ".age"
FORMAT = b"age-encryption.org/v1\n"
"""How each encrypted content begins."""
BEGINS = "AGE-SECRET-KEY-1"
IN_MEMORY_BYTES = 8 << 20
"""A larger content waits in a temporary file, encrypted."""


def is_encrypted(content: bytes) -> bool:
    """Whether a content is a file of the format."""
    return content.startswith(FORMAT)


class NotDecryptedError(Exception):
    """A content is damaged, or encrypted for another key."""


class Digested:
    """A file to read from, whose SHA-256 is known at the end. What goes wrong in reading is kept: age tells its text alone."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self.failed: Exception | None = None

    @property
    def sha256(self) -> str:
        """Of what has been read so far."""
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """As a file reads."""
        try:
            found = self._source.read(size)
        except Exception as error:
            self.failed = error
            raise
        self._digest.update(found)
        return found


class AgeKey:
    """The key that a reference names; it is looked up when it is needed first. `setting` is the variable that names it."""

    def __init__(self, reference: str, setting: str) -> None:
        self._reference, self._setting = reference, setting

    @cached_property
    def _identity(self) -> Any:
        try:
            import pyrage  # type: ignore[import-untyped, import-not-found, unused-ignore]
        except ImportError:
            raise EnvironmentUnusableError(
                f"{self._setting} is set, for which a package is missing: pip install 'reliability-platform[encryption]'."
            ) from None
        said = secret_text(self._reference).get_secret_value()
        line = next((one.strip() for one in said.splitlines() if one.strip().startswith(BEGINS)), "")
        try:
            return pyrage.x25519.Identity.from_str(line)
        except pyrage.IdentityError:
            raise EnvironmentUnusableError(
                f"What {self._setting} leads to is no key: it has no line that begins with {BEGINS}, or that line is "
                "not whole. `reliability snapshot new-key FILE` makes one."
            ) from None

    @contextmanager
    def encrypted(self, source: "IO[bytes] | Digested") -> Iterator[IO[bytes]]:
        """What is read from a file, encrypted."""
        identity = self._identity
        import pyrage

        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as out:
            try:
                pyrage.encrypt_io(source, out, [identity.to_public()])
            except pyrage.EncryptError:
                if isinstance(source, Digested) and source.failed is not None:
                    raise source.failed from None
                raise
            out.seek(0)
            yield out

    def decrypt(self, source: IO[bytes], target: Any) -> None:
        """Write what is in an encrypted file to another one. Raises `NotDecryptedError`."""
        identity = self._identity
        import pyrage

        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as whole:  # what the place refuses is said by itself
            while chunk := source.read(1 << 20):
                whole.write(chunk)
            whole.seek(0)
            try:
                pyrage.decrypt_io(whole, target, [identity])
            except (pyrage.DecryptError, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:  # a full disk; age has no number
                    raise
                raise NotDecryptedError(str(error)) from None

    def encrypted_bytes(self, content: bytes) -> bytes:
        """A small content, encrypted."""
        with self.encrypted(io.BytesIO(content)) as out:
            return out.read()

    def decrypted_bytes(self, content: bytes) -> bytes:
        """A small content. Raises `NotDecryptedError`."""
        out = io.BytesIO()
        self.decrypt(io.BytesIO(content), out)
        return out.getvalue()


def new_key() -> str:
    """A fresh key, as the file of an age identity."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    return f"# public key: {identity.to_public()}\n{identity}\n"
