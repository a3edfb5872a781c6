"""Experiments: a steady state, a hypothesis, injections on a clone of the home, and whether the hypothesis held."""
