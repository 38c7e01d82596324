"""Plan a rotation: when a key is regenerated, and how each consumer gets the new one before the old one is invalid."""
