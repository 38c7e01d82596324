"""The state of the simulated world. In memory only."""
