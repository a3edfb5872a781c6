"""What may be shown of what others delivered or said: nobody's data in samples, documents, alerts, logs and errors.

Whoever makes a text of delivered values masks it here, once; whoever reads that text need not. Shown is what a
contract declares (its labels, its column names), and numbers and times of columns that are not personal; of any other
text only its shape. What an operator typed or set is his own, and comes back as it was: a path, an option, the name of
a module. `PLACES` says where raw values may stand at all.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.errors import PlatformError, kinds_of_errors
from reliability_platform.formats import printable
from reliability_platform.settings import HOMES, PROJECT_ROOT

MASK = "•••"
MAX_ROWS = 5
MAX_TEXT = 40
MAX_ERROR = 300
_COLUMNS = [column for contract in CONTRACTS.values() for column in contract.columns]
PERSONAL = frozenset(name for column in _COLUMNS if column.pii for name in (column.name, *column.aliases))
FREE_TEXT = frozenset(column.name for column in _COLUMNS if column.json)
LABELS = frozenset((column.name, value) for column in _COLUMNS for value in column.valid_values)
OURS = frozenset({"source", "batch_id", "reject_reasons", "disposition", "state"})
"""Columns whose text the platform itself has written."""


@dataclass(frozen=True)
class Place:
    """A part of a home, and whether delivered values may stand there as they came."""

    pattern: str
    """A path below the home; `*` stays within one folder, `**` does not. The first that fits counts."""
    raw: bool
    why: str


PLACES = (
    Place("landing/**", True, "deliveries exactly as they came; what a replay starts from"),
    Place("bronze/**", True, "admitted values as delivered, file names among them"),
    Place("quarantine/quarantine_summary.*", False, "counts"),
    Place("quarantine/**", True, "refused files whole, with their names; what a replay starts from"),
    Place("reference/**", True, "reference data: keys of customers"),
    Place("warehouse.duckdb*", True, "stg_, int_, fct_ and agg_ hold rows; qtn_ and hld_ only masked ones"),
    Place(
        ".warehouse.duckdb.rewritten*", True, "draft of the file without its freed pages, put in its place or removed"
    ),
    Place("published/*/publication.json", False, "what was published and held, and why"),
    Place("published/**", True, "what consumers are entitled to: customer_id by the contract of fct_customer_days"),
    Place("recording/**", True, "landed days of another home, which a home of the lab replays"),
    Place("snapshots/**", True, "copies of all of these, and the names of their files"),
    Place(".snapshot-staging/**", True, "drafts of a snapshot or a restore, removed after it"),
    Place(".drill/**", True, "the clone of a drill, removed after it"),
    Place(".experiment/**", True, "the clone of an experiment, removed after it"),
    Place(".rehearsal/**", True, "the clone of a rehearsal, removed after it"),
    Place("**", False, "everything else: results, incidents, documents, logs, run storage, evidence, reports"),
)
"""Where raw personal data may stand. Whatever a home holds besides must show none; a test plants and searches."""
MASKED_TABLES = ("qtn_", "hld_", "rec_")
"""Beginnings of the names of tables in the warehouse that people look at: masked, although the file may hold rows."""


def place_of(path: str) -> Place:
    """The place of a file by its path below the home."""
    inside = path.removeprefix("oracle/")  # a home of its own
    return next(place for place in PLACES if _fits(inside, place.pattern))


def _fits(path: str, pattern: str) -> bool:
    expression = re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.fullmatch(expression, path, re.DOTALL) is not None


# Words


_SOMEBODYS = re.compile(
    r"\b\d(?:[ -]?\d){12,18}\b"  # a card number
    r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"  # a bank account
    r"|(?<![\w.])(?:\+|00)\d(?:[ ()/-]{0,2}\d){7,14}\b"  # a telephone number
    r"|(?<![\w.])0\d{2,4}[ /]\d{5,9}\b"  # one without its country
)

_MAIL_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+\.[\w.]+")
"""From the beginning of a word alone, and never a part of it again: a million letters took a day instead of a moment."""


SOMEBODYS_IN_PAYLOADS = (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+[.][A-Za-z]", r"(^|[^0-9.])[2-6]([ -]?[0-9]){12,18}")
"""What the warehouse rejects a payload for (macro `holds_personal_data`), in the grammar of RE2; a test compares them."""


def scrub(text: str) -> str:
    """Words of a person or a program, without the card and telephone numbers, accounts and addresses in them."""
    return _MAIL_ADDRESS.sub(MASK, _SOMEBODYS.sub(MASK, text))


def shape(text: str) -> str:
    """How a text looks, and not what it says: `Erika M. 47` is `Xxxxx X. 99`."""
    return printable("".join(_sign(letter) for letter in text[: MAX_TEXT + 1]), MAX_TEXT)


def _sign(letter: str) -> str:
    if letter.isdecimal():
        return "9"
    if letter.isalpha():
        return "X" if letter.isupper() else "x"
    return letter if letter in " .,:;@+-_/()" else "?"


# Rows


def masked(name: str, value: Any) -> Any:
    """One value of a column as it may be shown: a number, a time, a declared label, or what kind of text it is."""
    if value is None or isinstance(value, bool):
        return value
    if name in PERSONAL:
        return MASK
    if isinstance(value, int):
        return MASK if _is_card_number(value) else value
    if isinstance(value, float | Decimal):
        return float(value)
    if isinstance(value, date):  # a moment too
        return str(value)
    text = str(value)
    if name in FREE_TEXT:
        return f"text of {counted(len(text), 'character')}" + (" with NUL bytes" if "\x00" in text else "")
    if name in OURS or (name, text) in LABELS:
        return printable(scrub(text), MAX_TEXT)
    return shape(text)


def _is_card_number(number: int) -> bool:
    """15 to 19 digits with the right check digit (Luhn). Keys of the sources are shorter, or mostly fail it."""
    digits = [int(digit) for digit in str(abs(number))][::-1]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return 15 <= len(digits) <= 19 and (sum(digits[::2]) + doubled) % 10 == 0


def sample(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The first rows, masked."""
    return [{name: masked(name, value) for name, value in row.items()} for row in rows[:MAX_ROWS]]


# Names that a producer chose


_PLAIN_NAME = re.compile(r"[a-z_](?!\w*\d{5})[A-Za-z0-9_]{0,39}", re.ASCII)
_PLAIN_TYPE = re.compile(r"[a-z0-9_]+(?:\(\d+(?:, \d+)?\)|\[[a-z]+\])?", re.ASCII)


def is_plain_name(name: str) -> bool:
    """Whether a column's name is a word of a program. A file that lost its header calls its columns after a person."""
    return _PLAIN_NAME.fullmatch(name) is not None


def shown_name(name: str) -> str:
    """A column's name as it may be shown."""
    return name if is_plain_name(name) else shape(name)


def shown_type(name: str) -> str:
    """A column's Arrow type as it may be shown: fields and zones inside a type have names too."""
    found = _PLAIN_TYPE.match(name)
    return found[0] if found else shape(name)


# Errors


_NAMES_ONLY = re.compile(
    r"\b(?:Binder|Catalog|Parser|IO|Connection|Transaction|Permission|Compilation|Parsing|Dependency) Error\b"
)
_VALUES = re.compile(
    r"\b(?:Conversion|Out of Range|Invalid Input|Constraint|Mismatch Type|Invalid Type|Invalid) Error\b"
    r"|\bCould not (?:convert|cast|parse)\b"
)
_ENGINES_WORDS = """
a an and argument arguments at base be because bigint boolean byte bytes can't cannot cast casting character
characters check checkpoint code column columns commit constraint contains conversion convert could data database date decimal denied
destination device did directory disk division does double duplicate elements errno error exceeded exist exists
expected failed failure file find for foreign format found from full function happened have hugeint id in index
input int128 int16 int32 int64 int8 integer interval into invalid is it items its json key large left length line
list literal locked malformed match mismatch missing model more must name nan negative no not null number numeric
object of on open operation or out overflow parse parsing permission permitted position precision primary process quota
range read-only row rows runtime scale single size smallint source space specifier string such system table test
text than that the this time timestamp tinyint to too transactioncontext truncated try type types ubigint unexpected unicode unique
unsupported use utf-8 utf8 uuid value values varchar violates when while width with within write
"""
"""What engines say around the values that they quote, and what `warehouse.failures` looks for."""
_VOCABULARY = frozenset(_ENGINES_WORDS.split())
_OUR_NAME = re.compile(r"(?:stg|qtn|hld|int|agg|fct|dim|rec|bronze|warehouse)_[a-z_.]+|decimal\(\d+,\d*\)?")
_DECLARED = frozenset({column.name for column in _COLUMNS} | {value for _, value in LABELS} | set(CONTRACTS))
"""Names that contracts declare: columns, labels, sources."""
_CLASS_OF_ERROR = re.compile(r"[A-Z][A-Za-z]+(?:Error|Exception)")
_CLASS_OF_TEXT = re.compile(r"(?:\w+\.)*([A-Z]\w+): ")
_PLACE_IN_CODE = re.compile(r'\s*File ".*", line \d+, in \S+$')
_WORD = re.compile(r"[\w.'-]+")


# An operator's own words


_OPERATORS: set[str] = set()


def operator_said(arguments: Iterable[str]) -> None:
    """Let errors repeat what whoever started this process typed. Free text, which has spaces, may speak of somebody."""
    for argument in arguments:
        if not any(letter.isspace() for letter in argument):
            _OPERATORS.update([argument, *_WORD.findall(argument)])
            if os.sep in argument:
                HOMES.add(os.path.abspath(argument.partition("=")[2] or argument))  # noqa: PTH100 (it need not exist)


_DELIVERED = ("landing", "bronze", "quarantine", "spool")
"""Folders of a home in which producers choose names."""
_OUR_PARTS = re.compile(
    rf"(?:{'|'.join([*_DELIVERED, 'oracle', 'admissions', *CONTRACTS])})(?:\.lock)?"
    r"|landing_date=\d{4}-\d\d-\d\d"
    rf"|\.?(?:{'|'.join(CONTRACTS)})-\d{{8}}-\d\d(?:-[ar]\d+)?(?:\.(?:parquet|manifest|json|reason|csv|jsonl|draft|\d+))*"
)


def shown_path(path: str | Path) -> str:
    """A path as it may be shown: an operator's, the code's and the home's whole, of what producers named the shape."""
    text = os.fspath(path)
    for root in map(Path, sorted({*HOMES, str(PROJECT_ROOT), sys.prefix}, key=len, reverse=True)):
        if not Path(text).is_relative_to(root):
            continue
        below = Path(text).relative_to(root).parts
        layer = below[1:2] if below[:1] == ("oracle",) else below[:1]
        if str(root) in HOMES and layer and layer[0] in _DELIVERED:
            below = tuple(part if _OUR_PARTS.fullmatch(part) else shape(part) for part in below)
        return printable(str(root.joinpath(*below)), MAX_ERROR)
    return printable(text, MAX_ERROR) if text in _OPERATORS else MASK


def _paths() -> re.Pattern[str]:
    """Finds paths below the roots that are known. They may hold spaces, so they are looked for by their beginning."""
    roots = sorted({*HOMES, str(PROJECT_ROOT), sys.prefix} - {os.sep}, key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, roots))})(?:/[^\s'\":,;]*)?(?=$|[\s'\":,;.)\]])")


def _typed_fields(error: BaseException) -> str | None:
    """What an error says by its fields, which hold no delivered value; None if it has none of which that is so."""
    if isinstance(error, OSError) and isinstance(error.errno, int):
        said = os.strerror(error.errno)
        files = [
            shown_path(os.fsdecode(one)) for one in (error.filename, error.filename2) if isinstance(one, str | bytes)
        ]
        return f"{said}: {' -> '.join(files)}" if files else said
    if isinstance(error, ImportError) and error.name and re.fullmatch(r"[\w.]+", error.name):
        what = "there is no module" if isinstance(error, ModuleNotFoundError) else "cannot import from"
        return f"{what} {error.name}"
    if isinstance(error, AttributeError | NameError) and isinstance(error.name, str) and error.name.isidentifier():
        return f"there is no {error.name}"
    if isinstance(error, UnicodeError):
        return f"not {getattr(error, 'encoding', 'text in this encoding')}: {getattr(error, 'reason', 'it cannot be read')}"
    return None


# Errors in words


def error_text(error: BaseException | str, limit: int = MAX_ERROR) -> str:
    """What an error says, on one line, without the values that it quotes.

    Engines tell the value that they could not convert, the key that came twice, the pattern that made no sense, with
    quotation marks around it and without. So of such an error only the words stay that are the engine's own, names of
    ours or an operator's; errors about names (a table, a file, a template) keep all of theirs, and errors with typed
    fields (the system's, an import's) tell these.
    """
    fields = _typed_fields(error) if isinstance(error, BaseException) else None
    if fields is not None:
        return printable(scrub(f"{type(error).__name__}: {fields}"), limit)
    text = " ".join((f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error).split())
    named = _CLASS_OF_TEXT.match(text)
    ours = isinstance(error, PlatformError) or (named is not None and _is_ours(named[1]))
    names_only = _NAMES_ONLY.search(text) and not _VALUES.search(text)
    return printable(scrub(text if ours or names_only else _engines_words(text)), limit)


def error_message(error: BaseException, limit: int = MAX_ERROR) -> str:
    """The same without the name of the error's class; empty where the error says nothing."""
    return error_text(error, limit).removeprefix(f"{type(error).__name__}:").strip()


def traceback_text(text: str) -> str:
    """A printed traceback without the values that its errors quote: every place in the code stays."""
    kept, code = [], False
    for line in text.splitlines():
        place = _PLACE_IN_CODE.match(line) is not None
        stays = place or code or not line.strip(" ~^")
        kept.append(line if stays else error_text(line))
        code = place  # the line after a place is code, too
    return "\n".join(kept)


def _is_ours(name: str) -> bool:
    """Whether an error's words are made by the platform, from what is masked, or by the orchestrator, from names."""
    return name.startswith("Dagster") or name in {kind.__name__ for kind in kinds_of_errors()}


def _engines_words(text: str) -> str:
    said = text.partition(" LINE ")[0]  # after it comes the statement, which is ours
    kept, at = [], 0
    for path in _paths().finditer(said):
        kept += [_masked_words(said[at : path.start()]), shown_path(path[0])]
        at = path.end()
    kept.append(_masked_words(said[at:]))
    return re.sub(rf"{MASK}(?:[^\w{MASK}]*{MASK})+", MASK, "".join(kept))


def _masked_words(said: str) -> str:
    return _WORD.sub(lambda found: found[0] if _is_known_word(found[0]) else MASK, said)


def _is_known_word(word: str) -> bool:
    plain = word.strip(".'-")
    known = plain.lower() in _VOCABULARY or plain in _DECLARED or plain in _OPERATORS or _OUR_NAME.fullmatch(plain)
    return bool(known or _CLASS_OF_ERROR.fullmatch(plain))
