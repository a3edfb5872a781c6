"""The HTTP API: the read layer and the decisions of the command line for programs, under `/v1`."""
