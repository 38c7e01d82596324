"""When each resource is reconciled next: one task, one heap, a lock per resource."""
