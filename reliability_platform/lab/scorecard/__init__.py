"""Truth against check results. The only package that sees both what was broken and what was noticed."""
