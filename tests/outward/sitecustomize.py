"""Python imports this at its start where the folder is on PYTHONPATH: whatever asks for a host that is not this one, or
writes into the installation, is refused, and written down in the file named by OUTWARD_CALLS.
"""

import errno
import ipaddress
import os
import socket
import sys
from typing import Any

HERE = ("localhost", socket.gethostname(), "", None)


_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
INSTALLED = tuple(os.path.join(_ROOT, name, "") for name in ("reliability_platform", "dbt_project", "soda_checks"))  # noqa: PTH118
"""As if it were read-only, for root may write anything. What Python compiles is its own affair."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {
    **{f"os.{name}": slice(0, 1) for name in ("mkdir", "remove", "rmdir", "truncate")},
    **{f"os.{name}": slice(1, 2) for name in ("link", "symlink")},
    "os.rename": slice(0, 2),
}
"""Events that change a folder or a file, and which of their arguments are its path."""
ASKS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.sendto"})
WATCHED = ASKS | {"open", *CHANGES}


def _is_here(host: Any) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    try:
        return text in HERE or ipaddress.ip_address(text).is_loopback or ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False


def _note(log: str, words: str) -> None:
    with open(log, "a") as file:  # noqa: PTH123 (nothing more may be imported here)
        file.write(f"{' '.join(sys.argv[:2])}: {words}\n")


def _watch_installation(log: str, event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        paths = arguments[:1] if isinstance(arguments[2], int) and arguments[2] & WRITES else ()
    else:
        paths = arguments[CHANGES[event]]
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike):
            text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
            there_anyway = event == "os.mkdir" and os.path.isdir(text)  # noqa: PTH112
            if text.startswith(INSTALLED) and "__pycache__" not in text and not there_anyway:
                _note(log, f"{event} {text}")
                raise PermissionError(errno.EACCES, "the installation may not be written to", text)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in WATCHED:  # asked first: a process has millions of events, and reading the environment takes 4 µs
        return
    log = os.environ.get("OUTWARD_CALLS")
    if log is None:
        return
    if event not in ASKS:
        _watch_installation(log, event, arguments)
        return
    address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    host = address[0] if isinstance(address, tuple) else address
    if event != "socket.getaddrinfo" and not isinstance(address, tuple):  # a socket of the file system
        return
    if not _is_here(host):
        _note(log, f"{event} {host}")
        raise PermissionError(f"a test asks for {host}")


sys.addaudithook(_watch)
