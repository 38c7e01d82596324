"""Tokens and role checks of the simulated services."""
