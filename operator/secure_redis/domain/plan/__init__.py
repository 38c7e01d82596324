"""Plan what a pass does: the actions and the time of the next pass. Pure."""
