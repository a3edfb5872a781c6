"""The expression by which staging asks for JSON says what the function says, of whatever text."""

import json
import random
from collections.abc import Iterator

import duckdb
import jinja2
import pyarrow as pa
from duckdb.func import FunctionNullHandling
from duckdb.sqltypes import VARCHAR

from reliability_platform.json_text import MAX_DEPTH, MAX_LENGTH, fault_of
from reliability_platform.settings import DBT_PROJECT

PLAIN = [
    "{}",
    '{"page": "/cart", "ms": 12, "ok": true, "rate": 0.5e-3, "none": null}',
    '{"a": [1, [2, {"b": "x, y"}]], "c": "NaN, or not", "d": "\\u00e9\\n", "e": "ü ☃ 😀"}',
    '{"a": -0, "a": 1e999, "": "\\/\\\\\\""}',
]
ODD = [
    "", " ", "[]", "1", "null", '"x"', "NaN", "{", "}", "{} {}", "{},", "\ufeff{}", "\f{}", "{}\v", "{}\0",
    '{"a": NaN}', '{"a": nan}', '{"a": Infinity}', '{"a": -inf}', '{"a": 1,}', '{"a": [1 ,\r\n]}', '{"a": [1,,2]}',
    '{"a": 01}', '{"a": 1.}', '{"a": .5}', '{"a": +1}', '{"a": 0x1}', "{'a': 1}", "{a: 1}", '{"a": 1 /* c */}',
    '{"a": "\\ud800"}', '{"a": "\\ud83d\\ude00"}', '{"a": "\\x"}', '{"a": "\t"}', '{"a": "\x7f"}', '{"a": "\\u00"}',
    "[" * 200, "{" * 20_001, '{"a": ' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
    '{"a": ' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, json.dumps({"a": [[]] * 200}), json.dumps({"a": "[" * 300}),
    json.dumps({"a": "x" * (MAX_LENGTH - 9)}), json.dumps({"a": "x" * (MAX_LENGTH - 8)}),
]  # fmt: skip
SIGNS = [
    *'{}[]",:\\/ \t\n0123456789.eE+-',
    "NaN",
    "Infinity",
    "inf",
    "true",
    "null",
    "\\u",
    "\\ud800",
    "\0",
    "ü",
    ",]",
    ",}",
]


def _mutated(seed: int, number: int) -> Iterator[str]:
    chance = random.Random(seed)
    for _ in range(number):
        text = list(chance.choice(PLAIN))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(text) + 1)
            text[place : place + chance.randint(0, 2)] = chance.choice(SIGNS) if chance.random() < 0.8 else []
        yield "".join(text)


def test_the_shorter_way_of_plain_texts_says_what_the_function_says() -> None:
    """A text that DuckDB's laxer parser takes must not pass by the shorter way: `NaN` would be published as JSON."""
    template = (DBT_PROJECT / "macros" / "dialect.sql").read_text()
    macros = jinja2.Environment().from_string(template).module  # noqa: S701 (SQL, not HTML)
    expression = macros.default__json_fault("text")  # type: ignore[attr-defined]
    texts: list[str | None] = [*PLAIN, *ODD, *_mutated(7, 20_000), None]
    asked: list[str | None] = []

    def counted(text: str | None) -> str | None:
        asked.append(text)
        return fault_of(text)

    with duckdb.connect() as connection:
        connection.create_function(
            "json_fault", counted, [VARCHAR], VARCHAR, null_handling=FunctionNullHandling.SPECIAL
        )
        connection.register("texts", pa.table({"place": range(len(texts)), "text": pa.array(texts, pa.string())}))
        said = [
            row[1] for row in connection.execute(f"select place, {expression} from texts order by place").fetchall()
        ]
    assert said == [fault_of(text) for text in texts]
    assert {None, "malformed", "poisonous"} <= set(said)
    assert not {PLAIN[0], PLAIN[1]} & set(asked)  # or it would be no shorter way
