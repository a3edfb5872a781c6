"""Settings: what is misspelt, empty or names nothing is refused in one line, at every door into the platform."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.settings import AS_JSON, PROJECT_ROOT, Settings, keep_private, load_settings, variable


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RELIABILITY_AUTOMATON", "false", "do you mean RELIABILITY_AUTOMATION?"),
        ("reliability_automaton", "false", "do you mean RELIABILITY_AUTOMATION?"),
        ("RELIABILITY_AUTOMATIONS_OFF_FOR", "[]", "do you mean RELIABILITY_AUTOMATION_OFF_FOR?"),
        ("RELIABILTY_AUTOMATION", "false", "do you mean RELIABILITY_AUTOMATION?"),
        ("RELIABILITY-AUTOMATION", "false", "do you mean RELIABILITY_AUTOMATION?"),
        ("RELIABILITY_AUTO", "0", "do you mean RELIABILITY_AUTOMATION?"),
        ("RELIABILITY_KILL_SWITCH", "1", "There is no setting 'RELIABILITY_KILL_SWITCH'."),
        ("RELIABILITY_", "x", "There is no setting 'RELIABILITY_'"),
        ("RELIABILITY_XYZZY", "1", "There is no setting 'RELIABILITY_XYZZY'"),
        ("RELIABILITY_AUTOMATION", "flase", "it is 'flase' and must be true or false."),
        (
            "RELIABILITY_ALLOWED_LATENESS_DAYS",
            "abc",
            "it is 'abc' and must be a whole number, at least 0 and at most 60.",
        ),
        ("RELIABILITY_REMEDIATIONS_PER_HOUR", "1.5", "it is '1.5' and must be a whole number, at least 1."),
        ("RELIABILITY_FETCH_BUDGET_SECONDS", "-1", "it is '-1' and must be a number, more than 0."),
        ("RELIABILITY_CLOSED_BEFORE", "soon", "it is 'soon' and must be a date, as 2026-01-31."),
        ("RELIABILITY_ALERT_QUIET_HOURS", "9-5", "it is '9-5' and must be HH:MM-HH:MM, or empty for never."),
        ("RELIABILITY_INSTALLATION", "our shop", "it is 'our shop' and must be at most 63 letters"),
        ("RELIABILITY_CLOSED_AFTER_DAYS", "0", "it is '0' and must be a whole number, at least 1 and at most 36,500."),
        ("RELIABILITY_AUTOMATION", "", "RELIABILITY_AUTOMATION is empty"),
        ("RELIABILITY_HOME", " ", "RELIABILITY_HOME is empty"),
        ("RELIABILITY_HOME", "~nobody-of-that-name/x", "leads nowhere"),
        (
            "RELIABILITY_AUTOMATION_OFF_FOR",
            '["null_spik"]',
            "failure class 'null_spik' that does not exist: do you mean",
        ),
        ("RELIABILITY_AUTOMATION_OFF_FOR", '["NULL_SPIKE"]', "does not exist: do you mean null_spike?"),
        ("RELIABILITY_AUTOMATION_OFF_FOR", "[null]", "RELIABILITY_AUTOMATION_OFF_FOR is not usable at 0"),
        (
            "RELIABILITY_AUTOMATION_OFF_FOR",
            "null_spike",
            """RELIABILITY_AUTOMATION_OFF_FOR is not usable: it must be JSON, as in '["null_spike"]'.""",
        ),
        ("RELIABILITY_AUTOMATION_OFF_FOR", '{"null_spike": 1}', "RELIABILITY_AUTOMATION_OFF_FOR is not usable"),
        (
            "RELIABILITY_SOURCE_URLS",
            '{"ordrs": "http://x/"}',
            "source 'ordrs' that does not exist: do you mean orders?",
        ),
        ("RELIABILITY_SOURCE_URLS", "orders=http://x/", """it must be JSON, as in '{"orders": "http://…"}'"""),
        ("RELIABILITY_ACTING_FROM", "phone", "it is 'phone' and must be api or dashboard."),
        ("RELIABILITY_ON_BEHALF_OF", "x" * 101, "and must be at most 100 characters."),
        ("RELIABILITY_UI_URL", "127.0.0.1:3000", "RELIABILITY_UI_URL is not usable: it must be an http:// or https://"),
        ("RELIABILITY_UI_URL", "http://me:secret@ui/", "it must hold no user, password or query"),
        ("RELIABILITY_ALERT_PAGERDUTY_URL", "[bold]", "RELIABILITY_ALERT_PAGERDUTY_URL is not usable"),
        ("RELIABILITY_LEASE_TIMEOUT_SECONDS", "nan", "RELIABILITY_LEASE_TIMEOUT_SECONDS is not usable"),
        ("RELIABILITY_LEASE_TIMEOUT_SECONDS", "inf", "RELIABILITY_LEASE_TIMEOUT_SECONDS is not usable"),
        ("RELIABILITY_CLOSED_AFTER_DAYS", "99999999999", "RELIABILITY_CLOSED_AFTER_DAYS is not usable"),
        ("RELIABILITY_CLOSED_BEFORE", "2026-13-01", "RELIABILITY_CLOSED_BEFORE is not usable"),
    ],
)
def test_a_setting_that_says_nothing_usable_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    """A misspelt kill switch was passed over in silence, and automation stayed on."""
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as refused:
        load_settings()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_setting_is_refused_in_the_words_of_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Input should be a valid integer, unable to parse string as an integer` said neither what was given nor the limits."""
    for name in Settings.model_fields:
        monkeypatch.setenv(variable(name), "no such: [value")
        try:
            load_settings()
        except UsageError as error:
            said = str(error)
            assert variable(name) in said
            assert "should" not in said
            assert "string" not in said.lower()
            assert ("must be JSON" in said) == (name in AS_JSON), said
            assert "\n" not in said
        monkeypatch.delenv(variable(name))


def test_every_setting_is_taken_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check against slips must not refuse what it protects, nor others' variables."""
    for name, field in Settings.model_fields.items():
        monkeypatch.delenv(variable(name), raising=False)
        if isinstance(field.default, bool | int | float) and field.default is not None:
            monkeypatch.setenv(variable(name), str(field.default))
    monkeypatch.setenv("RELIABILITY_AUTOMATION_OFF_FOR", '["null_spike"]')
    monkeypatch.setenv("RELIABILITY_ALERT_QUIET_HOURS", "")
    monkeypatch.setenv("SITE_RELIABILITY_TEAM", "blue")
    monkeypatch.setenv("AUTOMATION", "false")
    settings = load_settings()
    assert settings.automation_off_for == ["null_spike"]
    assert settings.alert_quiet_hours == ""


DOORS = {
    "command line": ["-m", "reliability_platform.cli", "faults", "list"],
    "a build by itself": ["-m", "reliability_platform.warehouse", "nowhere", "2026-01-01", "2026-01-01"],
    "Dagster's code location": ["-c", "import reliability_platform.orchestration.definitions"],
}


@pytest.mark.parametrize(
    "door",
    [pytest.param(one, marks=[pytest.mark.exhaustive] if "Dagster" in one else []) for one in DOORS],  # 5 s
)
def test_every_door_refuses_a_misspelt_kill_switch(door: str) -> None:
    """The daemon that heals by itself is the one for which the switch is meant."""
    done = subprocess.run(
        [sys.executable, *DOORS[door]],
        env=os.environ | {"RELIABILITY_AUTOMATON": "false"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == (1 if "Dagster" in door else ExitCode.USAGE), done.stderr
    assert "do you mean RELIABILITY_AUTOMATION?" in done.stderr


@pytest.mark.parametrize(
    ("umask", "shared", "folder", "file"),
    [
        (0o022, False, 0o700, 0o600),
        (0o000, False, 0o700, 0o600),
        (0o022, True, 0o755, 0o644),
        (0o027, True, 0o750, 0o640),
    ],
)
def test_the_home_is_private_unless_a_setting_says_otherwise(
    tmp_path: Path, umask: int, shared: bool, folder: int, file: int
) -> None:
    """Landing holds personal data as it came: other users of the machine have no business in it."""
    before = os.umask(umask)
    try:
        keep_private(Settings(shared_home=shared))
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "file").write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == folder
    assert stat.S_IMODE((tmp_path / "home" / "file").stat().st_mode) == file
