"""`python -m sandbox.prepare [--floor]`: have everything ready that the sandbox and the tests run, and show progress.

Done before the tests start, since a test's output is captured and its time is limited. No work if it was done before.
"""

import argparse
import sys

from sandbox.cache import progress
from sandbox.helm import helm
from sandbox.toolchain import DEFAULT_VERSION, FLOOR_VERSION, ToolchainError, control_plane_binaries, kubectl


def prepare(*, floor: bool = False) -> None:
    """Fetch or build what is missing; `floor`: also the oldest supported control plane. Raises ToolchainError."""
    kubectl()
    control_plane_binaries(DEFAULT_VERSION)
    helm()
    if floor:
        control_plane_binaries(FLOOR_VERSION, scheduler=False)


def main() -> int:
    """Prepare from the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.prepare", description=__doc__)
    parser.add_argument("--floor", action="store_true", help="also build the oldest supported control plane")
    options = parser.parse_args()
    try:
        prepare(floor=options.floor)
    except ToolchainError as error:
        progress(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
