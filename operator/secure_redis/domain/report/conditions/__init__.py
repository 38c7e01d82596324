"""The conditions of a resource, one file per subject."""
