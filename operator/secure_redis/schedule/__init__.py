"""Decides when each resource is reconciled next: one task, one heap, one pass per resource at a time."""
