"""The reasons that conditions and events carry: one row per reason."""
