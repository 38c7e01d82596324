"""`python -m sandbox`, which sandbox.sh runs."""

from sandbox.cli.main import run

if __name__ == "__main__":
    run()
