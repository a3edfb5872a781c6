"""Settings of an installation and the map of its home folder. No setting is read anywhere else.

Every value can be set by an environment variable `RELIABILITY_<NAME>`. Whatever else looks like one of these variables
is refused: a misspelt kill switch that is passed over in silence leaves on what somebody wanted to be off.
"""

import importlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from reliability_platform.credentials import HOW, is_reference
from reliability_platform.errors import UsageError
from reliability_platform.home_path import checked

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PROJECT_ROOT = Path(__file__).resolve().parent.parent
"""Where the platform itself is installed, with the shop that comes with it."""
PREFIX = "RELIABILITY_"


def _project() -> Path:
    """The project that this process serves: what `RELIABILITY_PROJECT` says, else the nearest folder from the working one
    upwards that has contracts and dbt models, else the shop that comes with the platform."""
    named = os.environ.get(f"{PREFIX}PROJECT", "").strip()
    if named:
        return Path(named).absolute()
    here = Path.cwd()
    found = (one for one in (here, *here.parents) if (one / "contracts").is_dir() and (one / "dbt_project").is_dir())
    return next(found, PROJECT_ROOT)


PROJECT = _project()
SETTINGS_FILE = PROJECT / "settings.env"
"""Settings of the project, as lines `RELIABILITY_<NAME>=value`; what the environment says comes before."""


def _from_file() -> frozenset[str]:
    """Take the settings of the project's file into the environment, for this process and those that it starts; returns
    what stands there and is none."""
    if not SETTINGS_FILE.is_file():
        return frozenset()
    from dotenv import dotenv_values

    try:
        said = dotenv_values(SETTINGS_FILE, interpolate=False)
    except (OSError, UnicodeDecodeError):
        return frozenset({str(SETTINGS_FILE)})
    for name, value in said.items():
        if name.startswith(PREFIX) and value is not None:
            os.environ.setdefault(name, value)
    return frozenset(name for name, value in said.items() if not name.startswith(PREFIX) or value is None)


NO_SETTINGS = _from_file()
"""Lines of the project's settings file that are none."""
CONTRACTS_FOLDER = PROJECT / "contracts"
DBT_PROJECT = PROJECT / "dbt_project"


def own_dbt_project() -> Path | None:
    """The dbt project that is built behind the platform's models, as the environment names it now: another version of it may
    have been deployed. A relative path counts from the project's folder.
    """
    named = os.environ.get(f"{PREFIX}OWN_DBT_PROJECT", "").strip()
    return Path(os.path.normpath(PROJECT / named)) if named else None


OWN_DBT_PROJECT = own_dbt_project()
"""Where it was when this process began; whether there is one does not change."""
SODA_CHECKS = PROJECT / "soda_checks"
SODA_SETTINGS = PROJECT_ROOT / ".soda" / "config.yml"
DEFAULT_HOME = PROJECT / "data"
HOMES: set[str] = set()
"""The homes that this process was told of: an operator's own words, which errors may repeat."""
WRITTEN_TO: set[str] = set()
"""The places that this process writes to: one of them is full where an error about that names no file."""
RESTORING = ".restoring"
"""In a home that is being put back; its content is the snapshot's id. A home that has it is not whole."""

EMPTY_MEANS_NONE = frozenset({"alert_urls", "alert_quiet_hours", "openlineage_url"})
"""Settings of which an empty value says something. Of any other it is an accident, as of an unset variable in a file."""
DECLARED_NAMES = {
    "automation_off_for": ("failure class", "reliability_platform.incidents.classes", "CLASSES"),
    "source_credentials": ("source", "reliability_platform.contracts", "SOURCES"),
    "source_urls": ("source", "reliability_platform.contracts", "SOURCES"),
}
"""Settings that hold names, and where these are declared; looked up only where the setting is set."""
ALIKE = 0.85
"""From this likeness on, a name is taken for a slip of another. RELIABILTY_AUTOMATION (0.98) and RELIABILITY_AUTO (0.88)
are; names that share no more than RELIABILITY_ need none, for they are refused by their beginning."""
MEANT = 0.55
"""From this likeness on, a name is asked back for one that does not exist: AUTO for AUTOMATION is 0.57."""

_URL = r"(?:P[0-3](?:,P[0-3])*=)?[A-Za-z][\w+.-]*://"
"""How the URL of a channel begins: the severities that it takes, if not all, and the scheme."""


def _cache() -> Path:
    """The folder for caches of this user; one of the temporary folder for a user whose home folder cannot be written to."""
    # Not of pathlib: that raises for a user without any home folder.
    place = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    there = next((one for one in (place, *place.parents) if one.exists()), place)
    if place.is_absolute() and there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return place / "reliability-platform"
    return Path(tempfile.gettempdir()) / f"reliability-platform-{os.getuid()}"


def _urls(text: str) -> list[str]:
    """URLs from a JSON list, or parted by commas or white space. Raises `ValueError`, in words without the URLs."""
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else None
    except ValueError:
        found = ["not a list"]
    if found is None:
        # Severities and URLs may hold commas themselves: one parts two URLs only where the next one begins after it.
        found = re.split(rf"[\s,]+(?={_URL})(?<!P\d,)", text.strip(" \t\r\n,")) if text.strip(" \t\r\n,") else []
    for number, url in enumerate(found, start=1):
        if not isinstance(url, str) or not re.fullmatch(rf"{_URL}\S+", url):
            raise ValueError(
                f"URL number {number} is not written as scheme://… or P0,P1=scheme://… "
                "(give several as a JSON list, or parted by spaces)"
            )
    return found


def _require_plain_http(url: str, instead: str) -> None:
    """Raise `ValueError` for what is no address, or holds a secret, without the URL itself: it may be one."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("it must be an http:// or https:// URL with a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"it must hold no user, password or query: {instead}")


AS_JSON = {
    "automation_off_for": '["null_spike"]',
    "source_urls": '{"orders": "http://…"}',
    "source_credentials": '{"orders": "env:NAME"}',
}
"""The settings that are lists and tables, which an environment variable holds as JSON, and how each is written."""


class Settings(BaseModel):
    """Typed settings, from the environment where they are not given; the properties name every place under `home`."""

    # Not of pydantic-settings: its readers for files, secrets and four clouds took 40 ms of each command.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    def __init__(self, **given: Any) -> None:
        said = {name.upper(): value for name, value in os.environ.items()}
        known = {name: said[variable(name)] for name in type(self).model_fields if variable(name) in said}
        super().__init__(**known | given)

    project: Path = PROJECT
    """The project: its contracts, its dbt models, its checks. One process serves one."""
    home: Path = DEFAULT_HOME
    """Where the data live; a relative path counts from the working folder."""
    first_day: date = date(2026, 1, 1)
    """The first landing day; Dagster's partitions begin here. All processes of a project need the same."""
    shared_home: bool = False
    """Whether other users of the machine may read the home, as far as the umask lets them; else it is private (0700)."""
    tracebacks: bool = False
    """Whether a command that meets a fault of the platform prints where it came from, for whoever mends it."""
    log_format: str = Field(default="text", pattern=r"^(text|json)$")
    """`json`: what happens is told on stderr as lines of JSON, with incident, class, runbook, dataset, day and run as fields."""
    allowed_lateness_days: int = Field(default=3, ge=0, le=60)
    """Watermark: rows whose event day lies further back than this from their landing day are held."""
    lease_timeout_seconds: float = Field(default=900, gt=0)
    """How long a writer of the warehouse waits for its turn."""
    lease_silence_seconds: float = Field(default=60, ge=1)
    """With the operations store in a server: a writer that was not heard of for so long (stopped, cut off) loses its turn."""
    stranger_timeout_seconds: float = Field(default=30, gt=0)
    """How long to wait for a program that has the warehouse open without the lease, as a DuckDB shell does."""
    dbt_project: Path = DBT_PROJECT
    """The dbt project that is deployed; its models must be those of the one that comes with the platform."""
    own_dbt_project: Path | None = OWN_DBT_PROJECT
    """A dbt-duckdb project of yours that is built behind the platform's models, in one build with them: `init --dbt-project`
    sets it. A relative path counts from the folder of the project. All processes of a project need the same."""
    allow_older_models: bool = False
    """Whether models older than those that built the warehouse may build it: for a rollback on purpose."""
    cache: Path = Field(default_factory=_cache)
    """Where is kept what can be made again from the installation alone, as the parsed dbt project; shared by all homes."""
    closed_before: date | None = None
    """Consumers have closed their books on event dates before this one: what is published of them stays as it is."""
    closed_after_days: int | None = Field(default=None, ge=1, le=36_500)
    """The same as a number of days: event dates that lie further back than so many days are closed."""
    reopen_within_days: float = Field(default=7, ge=0, le=36_500)
    """A failure that comes back within so many days of its end is the same incident; later it is a new one, linked."""
    widespread_days: int = Field(default=7, ge=2)
    """A failure on so many landing days is one degree worse than its class says."""
    response_policy: Path = PROJECT_ROOT / "reliability_platform" / "incidents" / "response.yml"
    """Who is told how, and by when an answer and a postmortem are due, by severity."""
    slo_file: Path | None = None
    """The service level objectives; by default `objectives.yml` of the project, or without one the same for each dataset."""
    change_freeze: bool = False
    """Whether changed models and contracts of a dataset whose error budget is exhausted are refused until somebody approves."""
    automation: bool = True
    """Whether the platform heals by itself what its policy allows. Off: each incident says what it would have done. What is
    delivered late is still taken in: to land deliveries is the pipeline's own work, no remediation."""
    automation_off_for: list[str] = []
    """Failure classes that the platform leaves to people."""
    remediations_per_hour: int = Field(default=60, ge=1)
    """The platform by itself does not act more often: what breaks so much needs a person."""
    remediation_budget: int = Field(default=6, ge=1)
    """Actions on one incident, over all its lives, after which the platform does not act by itself again."""
    served: bool = False
    """Whether `reliability dev` serves the home to this process: then the UI shows the days of its own world alone."""
    attended: bool = False
    """Whether a person started this process and watches: then nothing waits, and switches and limits do not apply."""
    source_url: str | None = None
    """Where all sources answer over HTTP; by default as their contracts say."""
    source_urls: dict[str, str] = Field(default_factory=dict)
    """The same by source, as JSON; it goes before `source_url`."""
    source_credentials: dict[str, str] = Field(default_factory=dict)
    """Where the secret is that such a source asks for, by source, as JSON: env:NAME, file:/path or command:program."""
    fetch_budget_seconds: float = Field(default=300, gt=0)
    """How long fetching one landing day of one source may take; what has not come by then comes with the next fetch."""
    engine: Literal["duckdb", "spark"] = "duckdb"
    """What builds the tables of the pipeline: DuckDB in the warehouse file, or Apache Spark, whose tables the file then shows."""
    spark_schema: str = Field(default="reliability", pattern=r"^[a-z_][a-z0-9_]*$")
    """The schema of this home in Spark's metastore; two homes on one metastore need two."""
    spark_wait_seconds: float = Field(default=300, gt=0)
    """How long a process waits for the first executor of a cluster of Spark before it says that none comes."""
    landing_url: str | None = None
    """Where deliveries lie, and what people have decided about them: any fsspec URL or folder, of which the home then has a copy to work
    on. By default in the home alone."""
    landing_key: str | None = None
    """Where the key is with which that place is encrypted (env:NAME, file:/path or command:program); by default it is not."""
    published_url: str | None = None
    """Where what is published is copied to for consumers of other machines: any fsspec URL or folder. By default nowhere."""
    snapshot_url: str | None = None
    """Where snapshots are kept: any fsspec URL or folder. By default in the home, which a lost home takes along."""
    snapshot_replica_url: str | None = None
    """A second place to which each snapshot is copied, as in another region: what is left when the first is lost with the home."""
    snapshot_key: str | None = None
    """Where the key is with which snapshots are encrypted (env:NAME, file:/path or command:program); by default they are not."""
    snapshot_keep_last: int = Field(default=7, ge=1)
    """So many of the newest snapshots are kept."""
    snapshot_keep_weekly: int = Field(default=4, ge=0)
    """Of those before, the newest of each of so many weeks."""
    snapshot_max_age_hours: float = Field(default=30, gt=0)
    """An older newest snapshot is an incident while the schedules are on: one a day, and six hours of patience."""
    min_free_room_megabytes: int = Field(default=1_000, ge=0)
    """Less free room than this on the disk of the home, or of its snapshots, is an incident; 0 for never."""
    min_free_memory_megabytes: int = Field(default=300, ge=0)
    """Less available memory than this is an incident; 0 for never."""
    run_within_minutes: float = Field(default=120, gt=0)
    """A landing day of which no build has begun so long after its turn (02:00 UTC of the day after) is an incident."""
    drill_rpo_rows: int = Field(default=0, ge=0)
    """How many rows a drill may lose."""
    drill_rto_seconds: float = Field(default=900, gt=0)
    """How long a drill's recovery may take."""
    drill_table_days: float = Field(default=35, gt=0, le=36_500)
    """A drill of the loss of a table is overdue after so many days."""
    drill_warehouse_days: float = Field(default=100, gt=0, le=36_500)
    """A drill of the loss of the warehouse is overdue after so many days."""
    drill_home_days: float = Field(default=100, gt=0, le=36_500)
    """A drill of the loss of the home is overdue after so many days; not asked for while snapshots lie in the home."""
    drill_source_days: float = Field(default=35, gt=0, le=36_500)
    """A drill of the outage of a source is overdue after so many days; not asked for where every source is real."""
    rehearsal_days: float = Field(default=30, ge=0, le=3660)
    """How often an experiment is rehearsed that does not say so itself; overdue a sixth later. 0: when somebody asks for it."""
    operations_url: str | None = None
    """Where the operations store is, as postgresql://user:password@host/database; by default SQLite in the home folder. Homes
    may share a database: each has a schema of its own in it."""
    dagster_url: str | None = None
    """Where Dagster keeps its runs, events and ticks, as postgresql://user:password@host/database; by default SQLite in the
    home folder. Each home has a schema of its own there, beside that of its operations store."""
    installation: str = Field(default="local", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    """What this installation is called in what it tells others: the namespace of its lineage events."""
    openlineage_url: str | None = None
    """An OpenLineage server that lineage events are sent to; without one they are written to a file in the home."""
    openlineage_api_key: SecretStr | None = None
    """Sent to that server as a bearer token; shown and stored nowhere."""
    openlineage_timeout_seconds: float = Field(default=2, gt=0, le=60)
    """How long one event may take, and how long the end of a run may wait for the last ones."""
    openlineage_file_megabytes: int = Field(default=8, gt=0)
    """At which size the file of lineage events is compressed and set aside under a number."""

    @field_validator(*AS_JSON, mode="before")
    @classmethod
    def _decoded(cls, value: Any) -> Any:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return value  # its type is refused, and told as any other of a wrong type

    @field_validator("openlineage_url")
    @classmethod
    def _plain_http(cls, url: str | None) -> str | None:
        if url is None or not url.strip():
            return None
        _require_plain_http(url.strip(), "a key goes into RELIABILITY_OPENLINEAGE_API_KEY")
        return url.strip()

    alert_urls: tuple[SecretStr, ...] = ()
    """Where alerts go: Apprise URLs, each with the severities that it takes in front where not all, as in `P0,P1=…`.

    They hold tokens. Nothing may show, log or store them; a channel is known by its name.
    """
    alert_dry_run: bool = True
    """Whether alerts are only rehearsed: decided and written to a file, not sent."""
    alert_cap_per_hour: int = Field(default=20, ge=1, le=1000)
    """Messages that a channel gets in any hour; what lies beyond waits and then comes as one digest."""
    alert_quiet_hours: str = Field(
        default="22:00-07:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$"
    )
    """When P3 waits, as HH:MM-HH:MM; empty for never."""
    alert_timezone: str = "UTC"
    """The zone of the quiet hours, as Europe/Zurich."""
    routing_file: Path | None = None
    """Who hears of which incidents; by default `routing.yml` of the project, or without one the channels of the settings."""
    alert_pagerduty_url: str | None = None
    """Where events for PagerDuty go instead of PagerDuty's own address: a proxy, or a test."""
    dead_man_url: SecretStr | None = None
    """A dead man's switch of somebody else: asked once a minute by a running daemon while every sensor ticks and every
    schedule has fired. The address, or where it is: env:NAME, file:/path or command:program; shown and stored nowhere."""
    ui_url: str = "http://127.0.0.1:3000"
    """Where `reliability dev` serves the UI, for links in alerts."""
    api_url: str = "http://127.0.0.1:8000"
    """Where people and programs find what `reliability serve` serves, as a proxy in front of it is called."""
    api_requests_per_minute: int = Field(default=600, ge=1)
    """So many requests of one token, or of one address without any, are answered in a minute."""
    on_behalf_of: str | None = Field(default=None, min_length=1, max_length=100)
    """Under which name the decisions of this process stand on record; by default that of the user of the system."""
    acting_from: str | None = Field(default=None, pattern=r"^(api|dashboard)$")
    """From where the request came that this process carries out, as the audit log has it."""
    requested_run: str | None = Field(default=None, pattern=r"^[0-9a-f-]{36}$")
    """The request of the API that this process carries out; Dagster's runs have it as a tag."""

    @field_validator("ui_url", "api_url", "alert_pagerduty_url")
    @classmethod
    def _usable_address(cls, url: str | None) -> str | None:
        if url is not None:
            _require_plain_http(url, "whoever reads the alerts would see it")
        return url

    @field_validator("dead_man_url")
    @classmethod
    def _address_or_reference(cls, value: SecretStr | None) -> SecretStr | None:
        said = None if value is None else value.get_secret_value()
        if said is None or is_reference(said) or re.fullmatch(r"https?://[^\s/?#]+\S*", said):
            return value
        raise ValueError(f"it must be an http:// or https:// URL with a host, or say where that is: {HOW}")

    @field_validator("snapshot_key", "landing_key")
    @classmethod
    def _reference(cls, value: str | None) -> str | None:
        if value is not None and not is_reference(value):
            raise ValueError(f"it says where the key is, and is no key: {HOW}")
        return value

    @field_validator("landing_key")
    @classmethod
    def _has_a_place(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value is not None and others.data.get("landing_url") is None:
            raise ValueError(
                f"there is nothing to encrypt: {variable('landing_url')} names no place, and the home is not encrypted"
            )
        return value

    @field_validator("alert_urls", mode="before")
    @classmethod
    def _parted(cls, value: Any) -> Any:
        return _urls(value) if isinstance(value, str) else value

    @field_validator("alert_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("it is not a time zone such as UTC or Europe/Zurich") from None
        return value

    @property
    def alerts(self) -> Path:
        return self.home / "alerts"

    @field_validator("source_url", "source_urls")
    @classmethod
    def _usable_urls(cls, value: str | dict[str, str] | None) -> str | dict[str, str] | None:
        for url in [value] if isinstance(value, str) else (value or {}).values():
            _require_plain_http(url, "RELIABILITY_SOURCE_CREDENTIALS says where they are")
        return value

    @field_validator("source_credentials")
    @classmethod
    def _references(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(is_reference(one) for one in value.values()):
            raise ValueError(f"it holds references, and no secret: {HOW}")
        return value

    def url_of(self, source: str) -> str | None:
        """Where a source answers over HTTP by these settings; None if they do not say."""
        return self.source_urls.get(source, self.source_url)

    def first_open_date(self, today: date) -> date | None:
        """The first event date that is not closed; None if consumers close nothing."""
        rolling = None if self.closed_after_days is None else today - timedelta(days=self.closed_after_days)
        return max((one for one in (self.closed_before, rolling) if one is not None), default=None)

    def apart(self, home: Path) -> "Settings":
        """The settings of a home that is made to be thrown away: an oracle, a clone, a trial. Nothing of it reaches what
        this one shares with the outside: a store in a database server, an engine, a place of snapshots, channels, lineage. Changes are
        not frozen there: to try them out is what it is for.
        """
        return self.model_copy(
            update={
                "home": home,
                "operations_url": None,
                "dagster_url": None,
                "engine": "duckdb",
                "landing_url": None,
                "landing_key": None,
                "published_url": None,
                "snapshot_url": None,
                "snapshot_replica_url": None,
                "snapshot_key": None,
                "openlineage_url": None,
                "alert_urls": (),
                "dead_man_url": None,
                "alert_dry_run": True,
                "change_freeze": False,
            }
        )

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def copies(self) -> Path:
        """What is known of the objects of which folders of the home are copies."""
        return self.home / "copies"

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    @property
    def bronze(self) -> Path:
        return self.home / "bronze"

    @property
    def admissions(self) -> Path:
        return self.home.joinpath("bronze", "admissions")

    @property
    def profiles(self) -> Path:
        return self.home / "profiles"

    @property
    def quarantine(self) -> Path:
        return self.home / "quarantine"

    @property
    def reference(self) -> Path:
        return self.home / "reference"

    @property
    def decisions(self) -> Path:
        return self.home / "decisions"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def spark(self) -> Path:
        return self.home / "spark"

    @property
    def lease(self) -> Path:
        return self.home / "warehouse.lease"

    @property
    def builds(self) -> Path:
        return self.home / "builds"

    @property
    def requests(self) -> Path:
        """Locks of requests over the API that somebody carries out."""
        return self.home / "requests"

    @property
    def actions(self) -> Path:
        return self.home / "actions"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def oracle(self) -> Path:
        return self.home / "oracle"

    @property
    def faults(self) -> Path:
        return self.home / "faults"

    @property
    def slo(self) -> Path:
        return self.home / "slo"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def dbt_target(self) -> Path:
        return self.home / "dbt"

    @property
    def lineage_events(self) -> Path:
        return self.home / "lineage" / "events.jsonl"

    @property
    def snapshots(self) -> str:
        return self.snapshot_url or str(self.home / "snapshots")

    @property
    def drills(self) -> Path:
        return self.home / "drills"

    @property
    def identity(self) -> Path:
        return self.home / "home.json"

    @property
    def timeline_end(self) -> Path:
        return self.home / "timeline.json"

    @property
    def simulation_file(self) -> Path:
        return self.home / "simulation.json"

    @property
    def recording(self) -> Path:
        """Present in a home of the lab alone."""
        return self.home / "recording"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def suggestion(said: str, known: Iterable[str], shared: str = "") -> str:
    """What somebody may have meant. A beginning that all names share makes none of them alike: RELIABILITY_KILL_SWITCH
    would mean RELIABILITY_CACHE."""
    beginning = shared if said.startswith(shared) else ""
    by_rest = {one.removeprefix(beginning).lower(): one for one in known}
    alike = get_close_matches(said.removeprefix(beginning).lower(), by_rest, n=1, cutoff=MEANT)
    return f": do you mean {by_rest[alike[0]]}?" if alike else "."


@cache  # settings are read some 25 times a run; comparing 60 names with 50 each time took 4 % of it
def _refuse_unknown_variable(name: str) -> None:
    """Raise `UsageError` for a variable that is no setting, but was surely meant for one."""
    known, said = [variable(one) for one in Settings.model_fields], name.upper()  # as pydantic reads them
    if said in known:
        return
    if said.startswith(PREFIX) or get_close_matches(said, known, n=1, cutoff=ALIKE):
        raise UsageError(f"There is no setting {name[:80]!r}{suggestion(said, known, PREFIX)}")


def _refuse_empty_values(environment: Mapping[str, str], overridden: str | None) -> None:
    meant = {variable(name) for name in Settings.model_fields if name != overridden and name not in EMPTY_MEANS_NONE}
    for name, value in environment.items():
        if name.upper() in meant and not value.strip():
            raise UsageError(f"The setting {name.upper()} is empty: give it a value, or unset it.")


def _refuse_undeclared_names(settings: Settings) -> None:
    for name, (kind, module, declared) in DECLARED_NAMES.items():
        said = sorted(getattr(settings, name))
        known = list(getattr(importlib.import_module(module), declared)) if said else []
        unknown = [one for one in said if one not in known]
        if unknown:
            raise UsageError(
                f"{variable(name)} names a {kind} {unknown[0]!r} that does not exist{suggestion(unknown[0], known)}"
            )


@lru_cache(maxsize=64)  # read ten times a run, 8 ms each
def _read(home: Path | None, said: frozenset[tuple[str, str]], default_cache: Path) -> Settings:
    """What pydantic makes of the environment; the arguments are all that it depends on."""
    del said, default_cache
    return Settings() if home is None else Settings(home=home)


KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (date, "a date, as 2026-01-31"),
)
"""What a value of each type is called; bool first, for it is an int."""
PATTERNS = {
    "engine": "duckdb or spark",
    "log_format": "text or json",
    "spark_schema": "a name of letters, digits and underscores, in lower case, with a letter or underscore first",
    "alert_quiet_hours": "HH:MM-HH:MM, or empty for never",
    "installation": "at most 63 letters, digits, dots, dashes and underscores, with a letter or digit first",
    "acting_from": "api or dashboard",
    "on_behalf_of": "at most 100 characters",
    "requested_run": "the id of a request, as the API gives it",
}


def _allowed(name: str) -> str:
    """What a setting of one plain value may be."""
    field = Settings.model_fields[name]
    types = get_args(field.annotation) or (field.annotation,)
    kind = next((words for one, words in KINDS if one in types), None) or PATTERNS[name]
    forms = {"ge": "at least {:,}", "gt": "more than {:,}", "le": "at most {:,}"}
    limits = [(form, getattr(one, key, None)) for key, form in forms.items() for one in field.metadata]
    bounds = [form.format(limit) for form, limit in limits if limit is not None]
    return f"{kind}, {' and '.join(bounds)}" if bounds else kind


def _wrong_with(name: str, error: "ErrorDetails") -> str:
    """What was given and what is allowed; a validator of ours says by itself what it wants, without the value."""
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if name in AS_JSON:
        return f"it must be JSON, as in '{AS_JSON[name]}'"
    return f"it is {str(error['input'])[:80]!r} and must be {_allowed(name)}"


def load_settings(home: Path | None = None) -> Settings:
    """Settings from the environment; `home` overrides where the data live. Always absolute. Raises `UsageError`."""
    if NO_SETTINGS:
        raise UsageError(
            f"{SETTINGS_FILE} cannot be read at {min(NO_SETTINGS)[:80]!r}: write lines as {PREFIX}FIRST_DAY=2025-01-31."
        )
    for name in sorted(os.environ):
        _refuse_unknown_variable(name)
    said = frozenset((name, value) for name, value in os.environ.items() if name.upper().startswith(PREFIX))
    _refuse_empty_values(dict(said), None if home is None else "home")
    try:
        settings = _read(home, said, _cache())
    except ValidationError as error:
        first = error.errors()[0]
        name, *within = map(str, first["loc"])
        place = f" at {within[0]}" if within else ""
        raise UsageError(f"The setting {variable(name)} is not usable{place}: {_wrong_with(name, first)}.") from None
    _refuse_undeclared_names(settings)
    try:
        found = checked(settings.home)
    except (RuntimeError, OSError) as error:  # ~nobody, or a working folder that has been deleted
        raise UsageError(f"The home {str(settings.home)!r} leads nowhere: {error}.") from None
    HOMES.add(str(found))
    WRITTEN_TO.update([str(found), str(settings.cache), tempfile.gettempdir()])
    for url in (settings.snapshot_url, settings.snapshot_replica_url, settings.published_url, settings.landing_url):
        if url is not None and url.startswith("/"):
            WRITTEN_TO.add(url)
    return settings.model_copy(update={"home": found})


def is_home(settings: Settings) -> bool:
    """Whether anything of a home is there. One that may not be looked into is for whoever uses it to tell of."""
    marks = [
        settings.landing,
        settings.bronze,
        settings.published,
        settings.warehouse,
        settings.simulation_file,
        settings.recording,
        settings.identity,
        settings.home / "operations.sqlite",
        settings.home / "snapshots",
        settings.home / RESTORING,
    ]
    try:
        return any(one.exists() for one in marks)
    except OSError:
        return True


def keep_private(settings: Settings) -> None:
    """Let nobody else read what this process and its children write, unless the home is shared.

    The umask is the one thing that all writers obey: DuckDB, SQLite, dbt's logs, Dagster's storage, snapshots.
    """
    if not settings.shared_home:
        os.umask(0o077)
