"""An error as it may leave the house: one line, short, without places of this machine and without anybody's data."""

import re

from reliability_platform.checks.masking import without_secrets
from reliability_platform.settings import Settings

MAX_LETTERS = 300
_PATH = re.compile(r"(?<![\w<:/.])(?:/[\w.+@=-]+){2,}/?")


def shown_error(error: BaseException | str, settings: Settings) -> str:
    """The text of an error, or the name of its kind where it has none."""
    text = error if isinstance(error, str) else str(error)
    text = " ".join(text.split()).replace(str(settings.home), "<home>")
    text = without_secrets(_PATH.sub("<path>", text))
    if not text:
        return "no message" if isinstance(error, str) else type(error).__name__
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "…"
