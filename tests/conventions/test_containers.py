"""The Dockerfile and the compose file: linted, nobody is root, nothing listens outside, and every name in them exists here."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from reliability_platform.cli.main import cli
from reliability_platform.settings import PREFIX, PROJECT_ROOT, Settings

DOCKERFILE, COMPOSE = PROJECT_ROOT / "Dockerfile", PROJECT_ROOT / "compose.yaml"
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
OURS = {name: one for name, one in SERVICES.items() if "build" in one}


def test_hadolint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    bad = subprocess.run([linter, "-"], input="FROM python:latest\nRUN cd /\n", capture_output=True, text=True)
    assert bad.returncode != 0, "it does lint"


def test_nobody_is_root() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert users[-1:] == ["10001"]
    for name, one in SERVICES.items():
        assert name in OURS or one["user"] not in ("root", "0"), name
        assert name not in OURS or (one["read_only"] and one["cap_drop"] == ["ALL"]), name


def test_nothing_is_published_but_on_loopback() -> None:
    published = [port for one in SERVICES.values() for port in one.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_have_a_version() -> None:
    images = [one["image"] for name, one in SERVICES.items() if name not in OURS]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert all(re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", image) for image in images), images


def test_every_setting_is_one() -> None:
    """A misspelt one is refused at the start, by every container at once."""
    said = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", COMPOSE.read_text() + DOCKERFILE.read_text()))
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert said <= known
    assert {f"{PREFIX}OPERATIONS_URL", f"{PREFIX}SNAPSHOT_URL"} <= said


def test_volumes_are_mounted_on_folders_that_the_user_owns() -> None:
    """A volume on a folder that the image has not belongs to root, and nobody there is."""
    made = {
        path for line in re.findall(r"install -d .*", DOCKERFILE.read_text()) for path in re.findall(r" (/\w+)", line)
    }
    mounted = {volume.split(":")[1] for one in OURS.values() for volume in one.get("volumes", [])}
    assert mounted == made


def _commands() -> list[list[str]]:
    """What is typed in the compose file, as words."""
    started = [one["command"] for one in OURS.values() if "entrypoint" not in one]
    scripts = "\n".join(str(word) for one in OURS.values() if "entrypoint" in one for word in one["command"])
    return started + [line.split() for line in re.findall(r"\breliability ([a-z][^>\n|&]*)", scripts)]


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_each_command_is_one_of_ours(words: list[str]) -> None:
    """Taken apart as the command line does, and not carried out."""
    command, rest = cli, [*words]
    with click.Context(cli) as context:
        while isinstance(command, click.Group):
            name, command, rest = command.resolve_command(context, rest)
        assert command is not None
        command.make_context(name, rest)


def test_all_of_them_are_looked_at() -> None:
    assert [words[0] for words in _commands()] == ["dev", "serve", "tokens", "metrics"]
