"""`python -m sandbox.prepare [--tests] [--floor]`: prepare the programs of sandbox and tests, and show progress.

Done before the tests start, since a test's output is captured and its time is limited. No work if it was done before.
"""

import argparse
import sys

from sandbox.azure_cli import AzureCliError, azure_cli
from sandbox.cache import progress
from sandbox.debian import PackageError, unpacked
from sandbox.environments import EnvironmentFailedError, environment
from sandbox.gitops_definitions import gitops_definitions
from sandbox.helm import helm
from sandbox.names import NamesError, ready
from sandbox.redis_tool import RedisToolError, redis_tool
from sandbox.toolchain import DEFAULT_VERSION, FLOOR_VERSION, ToolchainError, control_plane_binaries, kubectl
from sandbox.vale import vale

NotToBeHad = (AzureCliError, EnvironmentFailedError, NamesError, PackageError, RedisToolError, ToolchainError)


def prepare(*, tests: bool = False, floor: bool = False) -> None:
    """Fetch or build what is missing.

    `tests`: also azure-cli, checkov, hadolint, mkdocs, promtool and Vale. `floor`: also the oldest supported control
    plane and the CRDs of Argo CD and Flux.
    Raises one of `NotToBeHad`, with a sentence that says what to install.
    """
    ready()
    redis_tool()
    kubectl()
    control_plane_binaries(DEFAULT_VERSION)
    helm()
    if tests:
        azure_cli()
        for name in ("checkov", "docs", "hadolint"):
            environment(name)
        unpacked("prometheus")
        vale()
    if floor:
        control_plane_binaries(FLOOR_VERSION, scheduler=False)
        gitops_definitions()


def main() -> int:
    """Prepare from the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.prepare", description=__doc__)
    parser.add_argument(
        "--tests",
        action="store_true",
        help="also install what the tests run: azure-cli, checkov, hadolint, mkdocs, promtool, Vale",
    )
    parser.add_argument(
        "--floor",
        action="store_true",
        help="also build the oldest supported control plane, and fetch the CRDs of Argo CD and Flux",
    )
    options = parser.parse_args()
    try:
        prepare(tests=options.tests, floor=options.floor)
    except NotToBeHad as error:
        progress(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
