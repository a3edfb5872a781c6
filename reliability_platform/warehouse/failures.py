"""What to do about a warehouse file that is damaged. Why builds fail is in `causes`."""

import re

from reliability_platform.causes import DAMAGE
from reliability_platform.errors import EnvironmentUnusableError


def is_damage(error: str) -> bool:
    """Whether the file itself is damaged. DuckDB finds that out when it reads the block, which may be long after opening."""
    return re.search(DAMAGE.signs, error, re.IGNORECASE) is not None


def damaged(error: str) -> EnvironmentUnusableError:
    """What to do about a damaged file: nothing in it is needed, for bronze has every row."""
    return EnvironmentUnusableError(
        "The warehouse file cannot be read; put it back with `reliability restore`, or move it away and rebuild it from "
        f"bronze with `reliability run` over all its days: {' '.join(error.split())[:200]}"
    )
