"""Results of other tools' tests, handed in as files: read in the shapes that the tools publish, kept as results of checks."""
