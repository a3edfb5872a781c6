"""Python imports this at its start where the folder is on PYTHONPATH: whatever asks for a host that is not this one is
refused, and written down in the file named by OUTWARD_CALLS.
"""

import ipaddress
import os
import socket
import sys
from typing import Any

HERE = ("localhost", socket.gethostname(), "", None)


def _is_here(host: Any) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    try:
        return text in HERE or ipaddress.ip_address(text).is_loopback or ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    log = os.environ.get("OUTWARD_CALLS")
    if log is None or event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        return
    address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    host = address[0] if isinstance(address, tuple) else address
    if event != "socket.getaddrinfo" and not isinstance(address, tuple):  # a socket of the file system
        return
    if not _is_here(host):
        with open(log, "a") as file:  # noqa: PTH123 (nothing more may be imported here)
            file.write(f"{' '.join(sys.argv[:2])}: {event} {host}\n")
        raise PermissionError(f"a test asks for {host}")


sys.addaudithook(_watch)
