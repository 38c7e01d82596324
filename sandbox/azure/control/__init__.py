"""The control port of the simulator: its server, its commands and its client."""
