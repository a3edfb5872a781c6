"""The contracts as `reliability generate` read them last: what the files of the project, and what was built, follow from.

It is a file of the project beside the contracts, so that each change shows, in a project without a history of its own too.
"""

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reliability_platform.contracts.contract import Contract
from reliability_platform.errors import UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NAME = "generated.json"
"""In the folder of the contracts."""


class GeneratedError(UsageError):
    """The file was edited by hand, or holds a conflict of two branches."""


@cache
def _contracts() -> "TypeAdapter[dict[str, Contract]]":
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, Contract])


def text_of(contracts: Mapping[str, Contract]) -> str:
    """The file for these contracts."""
    return _contracts().dump_json(dict(contracts), indent=1, exclude_defaults=True).decode() + "\n"


def as_generated(folder: Path) -> dict[str, Contract] | None:
    """The contracts as they were; None before the first time. Raises `GeneratedError`."""
    try:
        return _contracts().validate_json((folder / NAME).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise _unusable(folder) from None


def known_since(folder: Path, what: Literal["columns", "relations"]) -> dict[str, dict[str, date]]:
    """By source and name, the landing day from which a column or a rule is expected that came to the contract later."""
    try:
        found = json.loads((folder / NAME).read_bytes())
        return {
            source: {one["name"]: date.fromisoformat(one["since"]) for one in said.get(what, ()) if "since" in one}
            for source, said in found.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _unusable(folder) from None


def _unusable(folder: Path) -> GeneratedError:
    return GeneratedError(
        f"{folder / NAME} is not what `reliability generate` wrote: put it back from your history, or delete it and generate "
        "again; what changed in the contracts is not told then."
    )
