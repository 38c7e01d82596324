"""The resource's spec as frozen types, one file per subject."""
