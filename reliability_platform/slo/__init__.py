"""Service level objectives: how often each dataset was fresh, complete and correct, and how much failure is still allowed.

The ideas are those of the SRE workbook (Beyer et al. 2018, https://sre.google/workbook/implementing-slos/ and
https://sre.google/workbook/alerting-on-slos/), carried over from minutes to partitions: a pipeline does not serve
requests, it delivers landing days. So the unit is the landing day of a dataset.

- A day is *bad* for an objective if a check that the objective names has failed on it: at the first judgement of the
  day (`judged: first`), or ever (`judged: ever`). It is *good* if all of them have been evaluated and none was bad, and
  *unknown* if one of them was never evaluated. A check against the past that has too little past yet is not asked for.
- A day of a mart is also bad if consumers were not shown it by the promised hour of the day after (`published_by`). What
  is compared is the moment at which the version that first had the day became current, by the clock of the day: see
  `day_clock.py`. A day that nobody has been shown is bad once its hour has passed, run or not.
- Healing gives nothing back: the results of before stay in the store, and it is those that count. Nor do stale
  results, false alarms and rehearsals count less; whoever rehearses on a home spends its budget.
- The *error budget* of a window is (1 - target) x (window - unknown days) landing days; every bad day spends one. It is
  *exhausted* once nothing is left of it, and the objective is *missed* once more was spent than there was. With few days
  it is less than one day: then a single bad day exceeds it, and the report says so. *Attained* is good / (good + bad).
- The *burn rate* over a shorter window is its bad days divided by those that the target allows in it: at 1 the budget
  lasts exactly as long as its window. An alert asks two windows at once, a long one (enough has been spent to matter)
  and a short one (it is still being spent).

Runs of the pipeline have an objective of their own, counted in runs and days of the clock: see `runs.py`. A budget that burns
is told on the timeline of the incident that made it: see `burns.py`.

An exhausted budget holds no publication: the gate alone does, and it asks no objective. With `change_freeze` what would change
the tables of its dataset is not deployed: see `freeze.py`.
"""
