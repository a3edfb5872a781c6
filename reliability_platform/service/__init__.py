"""How people and programs look at the platform and act on it: the read layer, and the windows that stand upon it."""
