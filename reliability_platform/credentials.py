"""Secrets that sources ask for, by reference: a contract or a setting says where one is, and never holds it.

| reference | the secret is |
|---|---|
| `env:NAME` | the value of an environment variable |
| `file:/path` | what stands in a file, without the line break at its end |
| `command:program words` | what a program prints; it is started without a shell, and has ten seconds |

A secret is looked up each time that a source is asked, so that a new one counts at once. Errors name the place alone.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

from pydantic import SecretStr

from reliability_platform.errors import EnvironmentUnusableError

REFERENCE = re.compile(r"(env):([A-Za-z_][A-Za-z0-9_]*)|(file):(\S.*)|(command):(\S.*)")
HOW = "write env:NAME, file:/path or command:program"
COMMAND_SECONDS = 10
MAX_BYTES = 65_536
"""A certificate with its key has 10,000."""


class CredentialsError(EnvironmentUnusableError):
    """A secret is not where its reference says."""


def is_reference(text: object) -> bool:
    """Whether a text says where a secret is."""
    return isinstance(text, str) and REFERENCE.fullmatch(text) is not None


def secret(reference: str) -> SecretStr:
    """The secret of one line that a reference names. Raises `CredentialsError`."""
    found = secret_text(reference)
    value = found.get_secret_value()
    if not value.strip() or not value.isprintable():
        kind, name = _parts(reference)
        raise CredentialsError(
            f"What stands at {kind}:{_shown(kind, name)} is no secret: it is empty, or has line breaks."
        )
    return found


def secret_text(reference: str) -> SecretStr:
    """The text that a reference names, of any lines. Raises `CredentialsError`."""
    kind, name = _parts(reference)
    return SecretStr(_LOOK_UP[kind](name))


def _parts(reference: str) -> tuple[str, str]:
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise CredentialsError(f"Credentials are given by reference: {HOW}.")
    kind, name = (one for one in found.groups() if one is not None)
    return kind, name


def _shown(kind: str, name: str) -> str:
    """Of a command its program alone: what follows is nobody's business."""
    return shlex.split(name)[0] if kind == "command" else name


def _of_environment(name: str) -> str:
    if name not in os.environ:
        raise CredentialsError(f"The environment variable {name}, in which credentials should be, is not set.")
    return os.environ[name]


def _of_file(name: str) -> str:
    try:
        with Path(name).expanduser().open("rb") as file:
            return file.read(MAX_BYTES).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise CredentialsError(f"The file {name}, in which credentials should be, holds no text.") from None
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such home folder"
        raise CredentialsError(f"The file {name}, in which credentials should be, cannot be read: {why}.") from None


def _of_command(name: str) -> str:
    try:
        words = shlex.split(name)
        done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMMAND_SECONDS)
        if done.returncode == 0:
            return done.stdout[:MAX_BYTES].decode().rstrip("\r\n")
        why = f"it ended with {done.returncode}"
    except ValueError:  # quotes without an end, or bytes that are no text
        raise CredentialsError(
            "A command that should print credentials cannot be taken apart, or prints no text."
        ) from None
    except subprocess.TimeoutExpired:
        why = f"it takes more than {COMMAND_SECONDS} s"
    except OSError as error:
        why = str(error.strerror)
    raise CredentialsError(f"The command {words[0]}, which should print credentials, failed: {why}.")


_LOOK_UP = {"env": _of_environment, "file": _of_file, "command": _of_command}
