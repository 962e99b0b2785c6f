"""A server under load, watched by a real Prometheus: for the dashboards' tests and pictures."""
