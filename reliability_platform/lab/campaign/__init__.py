"""The campaign: every fault at every size, and every control, in trials of their own; graded with ground truth."""
