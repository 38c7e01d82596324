"""The governance of a cache in Azure: locks, roles, access policies, diagnostics and the activity log."""
