"""What the platform costs: `python -m tests.bench` prints the table of the aims, the modules measure one thing each."""
