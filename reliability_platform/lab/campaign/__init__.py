"""The campaign: every fault at every size, and every control, in worlds of their own; graded with ground truth."""
