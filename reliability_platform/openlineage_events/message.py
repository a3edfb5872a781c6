"""An error as it may leave the house: one line, short, without places of this machine and without anybody's data."""

import re

from reliability_platform.formats import printable
from reliability_platform.masking import error_message, scrub
from reliability_platform.settings import Settings

MAX_LETTERS = 300
_PATH = re.compile(r"(?<![\w<:/.])(?:/[\w.+@=-]+){2,}/?")


def shown_error(error: BaseException | str, settings: Settings) -> str:
    """The text of an error, or the name of its kind where it has none."""
    # Cut only when paths are gone: half a path is known by nobody as one. A text is of ours, as a model's result has it.
    said = scrub(" ".join(error.split())) if isinstance(error, str) else error_message(error, 4 * MAX_LETTERS)
    text = _PATH.sub("<path>", said.replace(str(settings.home), "<home>"))
    if not text:
        return "no message" if isinstance(error, str) else type(error).__name__
    return printable(text, MAX_LETTERS)
