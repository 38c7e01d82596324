"""The command `python -m sandbox`: start, inspect and change a sandbox."""
