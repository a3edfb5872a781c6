"""The rows in which two versions of a table differ, as SQL."""


def unlike_rows(one: str, other: str, day: str) -> str:
    """The rows that only one of two queries has, as often as it has them more. `day` is SQL of a row's day.

    Most days are the same in both, which the sums of the hashes of their rows show; only the others are compared row by row,
    which takes several times as long. Rows without a day are always compared.
    """
    sums = f"select {day} as day, count(*) as rows, sum(hash(side)) as hashes from ({{}}) as side group by all"
    here, there = sums.format(one), sums.format(other)
    own, theirs = (
        f"select * from ({side}) where {day} in (select day from unlike_days) or {day} is null" for side in (one, other)
    )
    return (
        f"with unlike_days as materialized (select day from ((({here}) except ({there})) union (({there}) except ({here})))) "
        f"(({own}) except all ({theirs})) union all (({theirs}) except all ({own}))"
    )
