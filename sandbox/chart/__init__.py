"""The project's chart, rendered by the real Helm and installed as far as the sandbox runs it."""
