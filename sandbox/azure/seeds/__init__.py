"""The objects with which a simulated world starts."""
