"""The same deliveries through what a team would build without the platform: dbt and its tests, dbt and Elementary, dbt and Soda.

`python -m tests.beside` measures what each costs a day, and which faults of the catalogue each tells of.
"""
