"""The colours of all pages and pictures, in light and in dark: one meaning has one colour, wherever it is looked at."""

from collections.abc import Mapping

COLOURS: dict[str, tuple[str, str]] = {
    "paper": ("#fbfaf7", "#13171a"),
    "card": ("#ffffff", "#1a2024"),
    "ink": ("#1d2327", "#e7eaeb"),
    "soft": ("#56616a", "#a5b0b6"),
    "line": ("#d5d9da", "#343d43"),
    "edge": ("#b9c1c5", "#4a555c"),
    "link": ("#0b57a4", "#8ab8f0"),
    "good": ("#1c6b40", "#74cb9c"),
    "good-wash": ("#e9f3ec", "#17261e"),
    "good-fill": ("#5aa27c", "#3f8a62"),
    "bad": ("#b3261e", "#ff948a"),
    "bad-wash": ("#fbebe9", "#2d1b1a"),
    "bad-fill": ("#d0564d", "#c4574f"),
    "worst-fill": ("#8a1a14", "#f2a09a"),
    "warn": ("#8a4b08", "#f0b36b"),
    "warn-wash": ("#fbf1e2", "#2c2317"),
    "warn-fill": ("#d99a45", "#b67f36"),
    "held": ("#ead9bd", "#4a3d25"),
    "quiet": ("#b9c4ca", "#4b5860"),
    "series": ("#0b57a4", "#8ab8f0"),
    "volume": ("#6d8899", "#5f7c8e"),
    "fault": ("#a84c18", "#f0a36b"),
    "alarm": ("#96204a", "#f08aa8"),
    "healed": ("#1c7a48", "#74cb9c"),
    "p0": ("#96204a", "#f08aa8"),
    "p0-wash": ("#f9e4ec", "#351a25"),
    "p1": ("#b3261e", "#ff948a"),
    "p1-wash": ("#fbebe9", "#2d1b1a"),
    "p2": ("#a84c18", "#f0a36b"),
    "p2-wash": ("#fbeee4", "#2e2118"),
    "p3": ("#7a6a00", "#dcc75a"),
    "p3-wash": ("#f8f4dc", "#2a2714"),
    "heat-1": ("#dcebe2", "#1b2f25"),
    "heat-2": ("#b5d6c3", "#214534"),
    "heat-3": ("#86bb9d", "#2b6147"),
    "heat-4": ("#2f7d54", "#55ac80"),
    "heat-5": ("#15603a", "#86dcb0"),
    "heat-ink": ("#ffffff", "#0c1a12"),
}
"""Name → the colour on light and on dark ground."""


def variables(selector: str, names: Mapping[str, str] | None = None, prefix: str = "") -> str:
    """CSS: colours as variables `--<prefix><name>` of what a selector chooses, by the reader's mode. `names` says which colour
    each has; by default it is all of them, by their own.
    """
    chosen = names or {name: name for name in COLOURS}
    light, dark = (
        " ".join(f"--{prefix}{name}: {COLOURS[colour][mode]};" for name, colour in chosen.items()) for mode in (0, 1)
    )
    return f"{selector} {{ {light} }} @media (prefers-color-scheme: dark) {{ {selector} {{ {dark} }} }}"
