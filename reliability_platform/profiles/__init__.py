"""The profile of each source and landing day, kept by day, and what of it is unlike the days before."""
