"""Which home a landing bucket is of. `_home.json` in it names that home: of two that land in one, each would take up what the other
has landed, and miss what the other has masked or removed.

The first home that uses a bucket writes the file, by a conditional write; any other one is refused. A home that comes back from a
snapshot is the same one. One that is made anew takes the bucket over, which a person says.

With RELIABILITY_LANDING_KEY the file also holds a proof of the key, by which whoever has another one, or none, is told so before he
reads or writes anything.
"""

import binascii
import json
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from reliability_platform.clock import utc_now
from reliability_platform.elsewhere import Elsewhere, OvertakenError
from reliability_platform.encryption import AgeKey, NotDecryptedError
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.formats import moment
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import home_id, identify
from reliability_platform.settings import Settings, variable

MARKER = "_home.json"
LARGEST = 4_096
"""Bytes; what is written has about 130. Anything larger is not read: it was not written here, and need not fit into memory."""
LOOK_SECONDS = 60.0
"""So often a process reads the file again: so long a home whose bucket was taken over may still land in it."""
INSTALLATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

_looked: dict[tuple[str, str, str | None], float] = {}
"""By URL, home and key, when this process has last read that the bucket is this home's."""


@dataclass(frozen=True)
class Holder:
    """What the file of a bucket says."""

    home: str
    installation: str
    """What that installation is called, by RELIABILITY_INSTALLATION."""
    since: datetime
    proof: str | None = None
    """The home, encrypted with the key of the bucket, as base64; None for one that is not encrypted."""

    @property
    def words(self) -> str:
        return f"the home {self.home[:8]} (installation {self.installation}, since {moment(self.since)})"


@dataclass(frozen=True)
class _Marker:
    holder: Holder | None
    """None for a file that says nothing."""
    mark: str | None
    """By which the place knows these very bytes."""


def ensure_held(settings: Settings) -> None:
    """Let this home hold its landing bucket if none does, and let the bucket be an encrypted one from now on if there is a key.

    Raises `EnvironmentUnusableError` if another one does, if it is encrypted with another key, or if the place cannot be asked.
    """
    here, key = _this_home(settings), landing_key(settings)
    looked = (str(settings.landing_url), here, settings.landing_key)
    now = time.monotonic()
    if now - _looked.get(looked, -LOOK_SECONDS) < LOOK_SECONDS:
        return
    place = _place(settings)
    found = _read(place)
    if found is None:
        try:
            _write(place, Holder(here, settings.installation, utc_now()), key, over=None)
        except OvertakenError:  # another process was quicker; it may be one of this home
            found = _read(place)
    if found is not None:
        held = _of_this_home(found.holder, here)
        require_key(settings, held)
        if key is not None and held.proof is None:
            try:
                _write(place, held, key, over=found.mark)
            except OvertakenError:  # another process of this home; it may have another key
                ensure_held(settings)
                return
    _looked[looked] = now


@lru_cache(maxsize=4)
def _key(reference: str) -> AgeKey:
    return AgeKey(reference, variable("landing_key"))


def landing_key(settings: Settings) -> AgeKey | None:
    """The key of the landing bucket, looked up once by a process; None for one that is not encrypted."""
    return None if settings.landing_key is None else _key(settings.landing_key)


def require_key(settings: Settings, held: Holder) -> None:
    """Raise `EnvironmentUnusableError` where what the bucket holds is encrypted, and the key of these settings does not open it."""
    if held.proof is None:
        return
    key, name = landing_key(settings), variable("landing_key")
    where = f"What the place of landing that {variable('landing_url')} names holds is encrypted"
    if key is None:
        raise EnvironmentUnusableError(f"{where}: say with {name} where its key is, or name another place.")
    try:
        key.decrypted_bytes(binascii.a2b_base64(held.proof))
    except (NotDecryptedError, ValueError):
        raise EnvironmentUnusableError(
            f"{where} with another key than the one that {name} leads to: without its own nobody can read it."
        ) from None


def holder(settings: Settings) -> Holder | None:
    """The home that holds the landing bucket; None if none does yet. Raises `EnvironmentUnusableError` for a place that does not
    answer, or a file that says nothing."""
    found = _read(_place(settings))
    if found is not None and found.holder is None:
        raise EnvironmentUnusableError(_says_nothing())
    return None if found is None else found.holder


def take_over(settings: Settings) -> Holder | None:
    """Let this home hold its landing bucket from now on, whoever did; returns who that was, where the file said so.

    Raises `UsageError` without a bucket, `OvertakenError` if another home takes it at the same moment.
    """
    if settings.landing_url is None:
        raise UsageError(f"There is no bucket to take over: {variable('landing_url')} is not set.")
    here, place = _this_home(settings), _place(settings)
    found = _read(place)
    if found is None or found.holder is None or found.holder.home != here:
        if found is not None and found.holder is not None:
            require_key(settings, found.holder)
        new = Holder(here, settings.installation, utc_now())
        _write(place, new, landing_key(settings), over=None if found is None else found.mark)
    _looked.clear()
    return None if found is None else found.holder


def _this_home(settings: Settings) -> str:
    """The identity of the home, which it gets together with its store."""
    return home_id(settings) or identify(settings, operations_engine(settings))


def _place(settings: Settings) -> Elsewhere:
    """Raises `UsageError` for one that is lost with the home or the process, `EnvironmentUnusableError` for a folder that is none."""
    name = variable("landing_url")
    place = Elsewhere.open(str(settings.landing_url), name, "landing")
    if "memory" in str(place.fs.protocol):
        raise UsageError(f"{name} names memory, which ends with the process: name a folder, or a bucket.")
    if place.folder is None:
        return place
    folder = place.folder.resolve()
    if folder.is_relative_to(settings.home.resolve()):
        raise UsageError(
            f"{name} names a folder of the home itself, which is lost together with it: name one elsewhere, or take it away."
        )
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not (there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK)):
        why = (
            "may not be read and written"
            if there.is_dir()
            else "is a file"
            if there == folder
            else "leads through a file"
        )
        raise EnvironmentUnusableError(f"The place of landing that {name} names {why}: name another, or mend that.")
    return place


def _read(place: Elsewhere) -> _Marker | None:
    place.fs.invalidate_cache()  # a listing that a library keeps would hide what another host wrote
    target = place.path(MARKER)
    try:
        about = place.fs.info(target)
        mark = about.get("ETag")
        if about["type"] != "file" or about["size"] > LARGEST:  # a pipe would wait for a writer
            return _Marker(None, mark)
        content = place.fs.cat_file(target)
    except FileNotFoundError:
        return None
    try:
        said = json.loads(content)
        since = datetime.fromisoformat(said["since"]).astimezone(UTC)
        proof = said.get("key_proof")
        found = Holder(str(said["home"]), str(said["installation"]), since, None if proof is None else str(proof))
        is_ours = re.fullmatch(r"[\w-]{1,64}", found.home) and INSTALLATION.fullmatch(found.installation)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return _Marker(None, mark)
    return _Marker(found if is_ours else None, mark)


def _write(place: Elsewhere, held: Holder, key: AgeKey | None, over: str | None) -> None:
    said = {"home": held.home, "installation": held.installation, "since": held.since.isoformat(timespec="seconds")}
    if key is not None:
        said["key_proof"] = binascii.b2a_base64(key.encrypted_bytes(held.home.encode()), newline=False).decode()
    place.write(place.path(MARKER), (json.dumps(said, indent=2) + "\n").encode(), over=over)


def _of_this_home(found: Holder | None, here: str) -> Holder:
    if found is None:
        raise EnvironmentUnusableError(_says_nothing())
    if found.home != here:
        raise EnvironmentUnusableError(
            # A run shows the first 300 characters.
            f"The place that {variable('landing_url')} names is held by {found.words}, and not by this one: name another, or, if that "
            "home is lost, take it over with `reliability take-over`."
        )
    return found


def _says_nothing() -> str:
    return (
        f"{MARKER} in the place of landing that {variable('landing_url')} names does not say which home holds it: "
        "`reliability take-over` writes it anew."
    )
