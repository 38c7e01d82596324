"""The command `secure-redis`."""
