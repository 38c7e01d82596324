"""Compose what a pass reports: status, conditions and events. Pure."""
