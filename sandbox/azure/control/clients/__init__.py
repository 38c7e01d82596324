"""What a test or the demo can do to the simulated world: one client per subject, composed in `Control`."""
