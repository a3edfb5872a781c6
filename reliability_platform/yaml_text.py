"""The one reader of our own YAML: libyaml's parser, which takes a tenth of the time of PyYAML's own.

Every process reads the contracts, the Soda files and the yml of the models: 0.6 s of each start with the slow one.
"""

from typing import Any

import yaml

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def read_yaml(text: str) -> Any:
    """What the document holds. Raises `yaml.YAMLError`."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 (both are safe loaders)


def compose_yaml(text: str) -> yaml.Node | None:
    """The document as nodes that know their places (`yaml_places`). Raises `yaml.YAMLError`."""
    node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    return node
