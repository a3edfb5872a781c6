"""PostgreSQL: its connection, its values, and the session of a mutant."""
