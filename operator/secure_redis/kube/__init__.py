"""Accesses Kubernetes: plain dicts inside, small frozen types for callers."""
