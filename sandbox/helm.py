"""The pinned Helm. With it, the tests install exactly the roles and policies that a user gets.

`python -m sandbox.helm` prepares it and prints its path.
"""

import sys
from pathlib import Path

from sandbox.cache import progress
from sandbox.toolchain import Tool, ToolchainError, build

HELM = Tool("helm", "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", "~2.5 min")


def helm() -> Path:
    """Return the path of the pinned Helm 4, built into the cache first if needed.

    One on PATH is not taken: its version decides what a chart renders. Raises ToolchainError.
    """
    return build(HELM)


def main() -> int:
    """Prepare Helm from the command line."""
    try:
        print(helm())
    except ToolchainError as error:
        progress(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
