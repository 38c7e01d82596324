"""The commands of the control port: one module per subject, each with the names that it runs."""
