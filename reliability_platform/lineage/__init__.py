"""Where data come from and where they go: the graph of datasets, the lineage of columns, its exports and its picture.

Read from dbt's manifest, the contracts and the catalogue of checks; nothing is declared here a second time.
"""
