"""Checks of other tools on the tables of a dbt project, which count as its tests: SodaCL files, Great Expectations suites.

Here belongs what reads them and judges mutants by them. What of them cannot be judged is named with the reason.
"""
