"""One line of a proposal."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Told:
    """What is proposed, why, and whether somebody must look at it."""

    value: Any
    evidence: str = ""
    question: bool = False
