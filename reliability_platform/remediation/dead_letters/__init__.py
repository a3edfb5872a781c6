"""Dead letters that a person chooses: which they are, how they are replayed, how they are given up."""
