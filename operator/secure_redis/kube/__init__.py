"""Kubernetes at arm's length: plain dicts inside, small frozen types at the door."""
