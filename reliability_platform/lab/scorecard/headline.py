"""The few numbers of a scorecard that are worth a curve over time."""

from reliability_platform.lab.scorecard.score import FaultScore, Scorecard


def graded(card: Scorecard) -> list[FaultScore]:
    """The injections that something should have noticed; controls are not among them."""
    return [score for score in card.faults if score.expected_severity is not None]


def share(part: int, whole: int) -> float | None:
    """`part` of `whole`, 0 to 1; None of nothing."""
    return round(part / whole, 6) if whole else None


def headline(card: Scorecard) -> dict[str, float | int | None]:
    """Shares are 0 to 1 of the injections, None if there were none; the rest are counts. `oracle_equal` is 0 or 1."""
    injections = graded(card)
    return {
        "injections": len(injections),
        "detected_share": share(sum(score.detected for score in injections), len(injections)),
        "contained_share": share(sum(score.contained for score in injections), len(injections)),
        "told_share": share(sum(score.told for score in injections), len(injections)),
        "healed_share": share(sum(score.healed for score in injections), len(injections)),
        "severity_share": share(
            sum(score.severity == score.expected_severity for score in injections), len(injections)
        ),
        "false_alarms": card.incidents["without_a_fault"],
        "unaccounted_rows": card.conservation.unaccounted,
        "oracle_equal": int(all(table.equal for table in card.oracle)),
    }
