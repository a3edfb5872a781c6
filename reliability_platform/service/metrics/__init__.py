"""What Prometheus scrapes: one table of metrics, each read from the read layer, and the alert rules that ship with it."""
