"""The pinned Vale, which checks the prose of the documentation (scripts/prose.py).

`python -m sandbox.vale` prepares it and prints its path.
"""

import sys
from pathlib import Path

from sandbox.cache import progress
from sandbox.toolchain import Tool, ToolchainError, build

VALE = Tool("vale", "vale", "github.com/vale-cli/vale/v3/cmd/vale", "github.com/vale-cli/vale/v3", "~1 min")


def vale() -> Path:
    """Return the path of the pinned Vale, built into the cache first if needed.

    One on PATH is not taken: its version decides what is a sentence. Raises ToolchainError.
    """
    return build(VALE)


def main() -> int:
    """Prepare Vale from the command line."""
    try:
        print(vale())
    except ToolchainError as error:
        progress(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
