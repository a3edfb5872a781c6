"""The same deliveries judged by the platform's profiles and by the methods of others, side by side.

`python -m tests.comparison` writes `docs/measurements/comparison-<version>.json`; `docs/explanation/comparison.md` shows it.
Nothing here is tuned on what it measures: the seeds are those of no test, and each method has its published defaults.
"""
