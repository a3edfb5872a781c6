"""Where `--output` may point: what it names is replaced in one step, so it must be a file."""

import os
from pathlib import Path

import pytest

from reliability_platform.cli.options import file_to_write, write_or_print
from reliability_platform.errors import UsageError


def test_what_is_no_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """`--output /dev/null`, typed by root, made a file of the device for every program of the machine."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for one in (pipe, link, tmp_path, Path(os.devnull)):
        with pytest.raises(UsageError, match="is no file"):
            file_to_write(one)
    assert pipe.is_fifo() and link.is_symlink()
    with pytest.raises(UsageError, match="make it first"):
        file_to_write(tmp_path / "none" / "page.html")


def test_a_link_stays_a_link_and_its_file_is_written(tmp_path: Path) -> None:
    """A web server follows it to the page."""
    (link := tmp_path / "page.html").symlink_to(tmp_path / "real.html")
    write_or_print("first", link)
    write_or_print("second", link)
    assert link.is_symlink() and (tmp_path / "real.html").read_text() == "second"
