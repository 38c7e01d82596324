"""The resource: spec, status, conditions, reasons and names. Frozen types parsed once at the edge; no I/O."""
