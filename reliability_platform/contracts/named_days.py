"""The day or the month that the name of a delivered file speaks of, and which delivery of the day it is."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

_DAY = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?:(?!\d)|(?=T\d\d))(?:[-_T ]?(\d{1,2})(?![\d-]))?"
    r"|(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])(?!\d)"
)
_HOUR = re.compile(r"(?:hour|hh|h)=(\d{1,2})")


@dataclass(frozen=True)
class Named:
    """What a name says of the days of a file."""

    first: date
    last: date
    part: int | None = None
    """The number after the day: an hour or the number of a batch."""

    @property
    def is_day(self) -> bool:
        """Whether it is a single day."""
        return self.first == self.last


def named_days(path: str) -> Named | None:
    """What the name of a file says, or else those of the three folders around it; None if they say no day."""
    *folders, name = path.split("/")[-4:]
    joined = "-".join(re.sub(r"^[a-z]+=", "", one) for one in folders)
    texts = [name, *reversed(folders), joined]
    for text in texts:
        for found in _DAY.finditer(text):
            year, month, day = int(found[1] or found[5]), int(found[2] or found[6]), found[3]
            try:
                first = date(year, month, int(day or 1))
            except ValueError:  # the 31st of a month without one
                continue
            last = first if day else date(year, month, monthrange(year, month)[1])
            hour = found[4] or next((one[1] for one in map(_HOUR.fullmatch, folders) if one), None)
            return Named(first, last, int(hour) if hour is not None else None)
    return None
