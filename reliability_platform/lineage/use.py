"""How a column depends on another one, for whoever passes it on without parsing SQL."""

from typing import Literal

Use = Literal["direct", "indirect"]
