"""Decisions, pure: nothing here awaits, imports an SDK or reads a clock."""
