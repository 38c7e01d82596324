"""The command `./sandbox.sh`: start, inspect and change a sandbox."""
