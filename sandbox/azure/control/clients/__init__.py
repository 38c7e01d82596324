"""Changes that a test or the demo makes to the simulated world: one client per subject, composed in `Control`."""
