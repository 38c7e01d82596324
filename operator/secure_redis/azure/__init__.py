"""Azure: one folder per service, core for what they share, and the inventory of caches."""
