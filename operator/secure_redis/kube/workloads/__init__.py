"""Workloads: their client, the facts of their pod templates, and the pods that consume a Secret."""
