"""The comparison in numbers: what each method detects by kind and size, and its false alarms, as JSON and as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from reliability_platform.lab.campaign.statistics import wilson
from tests.comparison.corruptions import SHARES
from tests.comparison.measure import Case
from tests.comparison.methods import METHODS, Method, Scores

OURS = "profiles"
NAMES = (OURS, *(one.name for one in METHODS))
SLACK = 1e-9
"""A share that differs from its limit by a rounding error is not beyond it."""
Limits = Mapping[str, Scores]
"""By source, the limit of each part of a method."""


def document(cases: Sequence[Case], figures: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the page shows. `figures` say how it was measured."""
    worlds = {
        "shop": [one for one in cases if one.world != "flights"],
        "flights": [one for one in cases if one.world == "flights"],
    }
    return {**figures, "worlds": {name: _of_world(found) for name, found in worlds.items() if found}}


def _of_world(cases: Sequence[Case]) -> dict[str, Any]:
    clean = [one for one in cases if not one.kind]
    spoiled = [one for one in cases if one.kind]
    ours = sum(one.profile.told for one in clean)
    published = {method.name: {one.source: method.limits for one in clean} for method in METHODS}
    equal = {method.name: _limits_at(method, clean, ours) for method in METHODS}
    return {
        "clean_days": len(clean),
        "false_alarms": {
            "as published": _count(clean, published),
            "at an equal rate": _count(clean, equal),
        },
        "held_on_clean_days": sum(one.profile.held for one in clean),
        "told_on_clean_days": sorted({f"{one.source} {one.day}" for one in clean if one.profile.told}),
        "farthest_on_clean_days": round(max(one.profile.strongest for one in clean), 3),
        "detected": [
            {"by_others": by_others, "kind": kind, "size": size, "n": len(found)}
            | {"as published": _count(found, published), "at an equal rate": _count(found, equal)}
            for (by_others, kind, size), found in sorted(_by_kind(spoiled).items(), key=lambda item: _order(item[0]))
        ],
    }


def _order(key: tuple[bool, str, str]) -> tuple[bool, str, int]:
    return (not key[0], key[1], list(SHARES).index(key[2]))


def _by_kind(cases: Iterable[Case]) -> dict[tuple[bool, str, str], list[Case]]:
    found: dict[tuple[bool, str, str], list[Case]] = {}
    for one in cases:
        found.setdefault((one.by_others, one.kind, one.size), []).append(one)
    return found


def _alarms(case: Case, name: str, limits: Limits) -> bool:
    own = limits[case.source]
    return any(score > own[part] + SLACK for scores in case.others[name] for part, score in scores.items())


def _count(cases: Sequence[Case], limits: Mapping[str, Limits]) -> dict[str, int]:
    return {OURS: sum(one.profile.told for one in cases)} | {
        method.name: sum(_alarms(one, method.name, limits[method.name]) for one in cases) for method in METHODS
    }


def _limits_at(method: Method, clean: Sequence[Case], allowed: int) -> Limits:
    """The lowest limits at which the clean days themselves raise at most so many alarms: chosen in hindsight, by source, which
    is more than anybody can have beforehand. Each part has the same quantile of its scores; never below what is published.
    """
    by_source: dict[str, list[Case]] = {}
    for one in clean:
        by_source.setdefault(one.source, []).append(one)
    scores = {
        source: {part: np.array([one.others[method.name][0][part] for one in found]) for part in method.limits}
        for source, found in by_source.items()
    }

    def limits(quantile: float) -> Limits:
        return {
            source: {
                part: float(max(np.quantile(values, quantile, method="higher"), 0.0)) for part, values in parts.items()
            }
            for source, parts in scores.items()
        }

    for left_out in range(len(clean), -1, -1):
        found = limits(1 - left_out / len(clean))
        if sum(_alarms(one, method.name, found) for one in clean) <= allowed:
            return found
    return limits(1.0)


HEADINGS = {"as published": "with its published defaults", "at an equal rate": "at the false alarms of the profiles"}


def markdown(found: Mapping[str, Any]) -> str:
    """The tables of the page."""
    parts = []
    for name, world in found["worlds"].items():
        parts.append(_false_alarms(name, world))
        for by_others in (True, False):
            rows = [one for one in world["detected"] if one["by_others"] is by_others]
            if rows:
                parts += [_sizes(name, by_others, rows), _kinds(name, by_others, rows)]
    return "\n\n".join(parts)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(*first: str) -> list[str]:
    columns = [*first, *NAMES]
    return [_row(columns), _row(["---"] * len(columns))]


def _false_alarms(name: str, world: Mapping[str, Any]) -> str:
    days = world["clean_days"]
    rows = [
        _row(
            [
                f"{name}: false alarms per 1,000 clean source-days, {heading}",
                *(f"{1000 * world['false_alarms'][mode][one] / days:.1f}" for one in NAMES),
            ]
        )
        for mode, heading in HEADINGS.items()
    ]
    return "\n".join([*_head(f"{days:,} clean source-days"), *rows])


def _interval(hits: int, n: int) -> str:
    share = wilson(hits, n)
    assert share.share is not None and share.low is not None and share.high is not None
    return f"{share.share:.0%} ({share.low:.0%}–{share.high:.0%})".replace("%", " %")


def _whose(by_others: bool) -> str:
    return "corruptions of the literature" if by_others else "kinds of our catalogue"


def _sizes(name: str, by_others: bool, rows: Sequence[Mapping[str, Any]]) -> str:
    lines = _head(f"{name}, {_whose(by_others)}: detected", "of")
    for mode, heading in HEADINGS.items():
        for size in SHARES:
            found = [one for one in rows if one["size"] == size]
            n = sum(one["n"] for one in found)
            cells = (_interval(sum(one[mode][method] for one in found), n) for method in NAMES)
            lines.append(_row([f"{size}, {heading}", str(n), *cells]))
    return "\n".join(lines)


def _kinds(name: str, by_others: bool, rows: Sequence[Mapping[str, Any]]) -> str:
    """At the false alarms of the profiles, by kind: small, medium, large."""
    lines = _head(f"{name}, {_whose(by_others)}, {HEADINGS['at an equal rate']}: small / medium / large", "of")
    for kind in dict.fromkeys(one["kind"] for one in rows):
        found = {one["size"]: one for one in rows if one["kind"] == kind}
        sizes = [size for size in SHARES if size in found]
        cells = (" / ".join(str(found[size]["at an equal rate"][method]) for size in sizes) for method in NAMES)
        lines.append(_row([kind, " / ".join(str(found[size]["n"]) for size in sizes), *cells]))
    return "\n".join(lines)
