"""Storage accounts that caches persist to."""
