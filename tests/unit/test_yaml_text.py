"""Texts of data and of other people go into YAML and come back as they were."""

import io

import ruamel.yaml
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reliability_platform.contracts.yaml_text import flow, quoted, word
from reliability_platform.strict_yaml import read_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Half of a surrogate pair is no text in UTF-8."""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT)
@example('O\'Brien \\ "ü" {{ 1/0 }} {% x %} 👍🏽\u200d # : - & *')
@example("a\r\nb\nc\rd\te\x85f\u2028g\u2029h\ufeffi\x7fj\x9fk\x00l\x1bm\ufffen\U0001ffff")
@example("No")
@example(" 1e3 ")
def test_a_text_comes_back_as_it_was(text: str) -> None:
    """By the platform's reader, PyYAML's own and that of Soda; on one line, whatever breaks lines elsewhere."""
    lines = f"one: {quoted(text)}\ntwo: {flow([word(text), {'three': text}])}\n{word(text) if text else 'x'}: 1\n"
    wanted = {"one": text, "two": [word(text), {"three": text}], text or "x": 1}
    assert len(lines.splitlines()) == 3
    assert read_yaml(lines) == wanted
    assert yaml.safe_load(lines) == wanted
    assert ruamel.yaml.YAML(typ="safe", pure=True).load(io.StringIO(lines)) == wanted
