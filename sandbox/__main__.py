"""`python -m sandbox`."""

import sys

from sandbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
