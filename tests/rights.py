"""Root reads what nobody may read. A test about missing rights puts that power down for as long as it needs to."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522
"""Of the structures of Linux's `capget` and `capset`, with two words of 32 bits for each set."""
_OVERRIDES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: to read, write and search against the mode of a file."""


@contextmanager
def without_overriding_rights() -> Iterator[None]:
    """Modes of files hold for this thread and those that it starts, even if it is root's."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the upper words of each
    if libc.capget(header, held) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    without = (ctypes.c_uint32 * 6)(*held)
    without[0] &= ~_OVERRIDES & 0xFFFFFFFF
    _set(libc, without)
    try:
        yield
    finally:
        _set(libc, held)


def _set(libc: ctypes.CDLL, sets: "ctypes.Array[ctypes.c_uint32]") -> None:
    if libc.capset((ctypes.c_uint32 * 2)(_VERSION, 0), sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
