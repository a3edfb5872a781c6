"""Apache Spark: its connection, its values, the session of a mutant, and what statements may change."""
