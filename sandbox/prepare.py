"""`python -m sandbox.prepare [--tests] [--floor]`: prepare the programs of sandbox and tests, and show progress.

Done before the tests start, since a test's output is captured and its time is limited. No work if it was done before.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.azure_cli import AzureCliError
from sandbox.cache import cache_dir, progress
from sandbox.chromium import ChromiumError, chromium
from sandbox.chromium import is_ready as chromium_is_ready
from sandbox.debian import PackageError, is_unpacked, unpacked
from sandbox.environments import EnvironmentFailedError, environment, is_installed
from sandbox.gitops_definitions import gitops_definitions
from sandbox.helm import HELM
from sandbox.installed import installed
from sandbox.installed import version as version_of
from sandbox.names import NamesError, ready
from sandbox.plan import Plan, about, cores, estimated
from sandbox.redis_tool import RedisToolError, is_ready, redis_tool
from sandbox.toolchain import (
    DEFAULT_VERSION,
    FLOOR_VERSION,
    ToolchainError,
    build_all,
    control_plane_names,
    go,
    go_is_ready,
    is_built,
    kubectl,
    missing,
)
from sandbox.vale import VALE

NotToBeHad = (
    AzureCliError,
    ChromiumError,
    EnvironmentFailedError,
    NamesError,
    PackageError,
    RedisToolError,
    ToolchainError,
)

_ENVIRONMENTS = ("azure-cli", "browser", "checkov", "docs", "hadolint")


@dataclass(frozen=True)
class _Step:
    """A long step, and how long it takes."""

    seconds: float
    run: Callable[[], object]


def prepare(*, helm: bool = True, tests: bool = False, floor: bool = False) -> None:
    """Fetch or build what is missing.

    `helm`: also Helm, which the sandbox itself does not use. `tests`: also azure-cli, checkov, Chromium,
    hadolint, mkdocs, promtool and Vale. `floor`: also the oldest supported control plane and the CRDs of Argo CD and
    Flux.
    Raises one of `NotToBeHad`, with a sentence that says what to install.
    """
    ready()
    kubectl()
    steps = _steps(helm=helm, tests=tests, floor=floor)
    if steps:
        seconds = sum(step.seconds for step in steps)
        _show_found()
        progress(
            f"{len(steps)} {'step' if len(steps) == 1 else 'steps'} to prepare, {about(seconds)} on {cores()} cores. "
            f"What is made stays in {cache_dir()}"
        )
    plan = Plan([step.seconds for step in steps])
    for step in steps:
        with plan.each():
            step.run()
    if floor:
        gitops_definitions()


def _show_found() -> None:
    minor = DEFAULT_VERSION.rsplit(".", 1)[0]
    for name in control_plane_names():
        program = installed(name, minor)
        if program is not None:
            progress(f"{name} is on this machine: {program} ({version_of(program)})")


def _steps(*, helm: bool, tests: bool, floor: bool) -> list[_Step]:
    """Return what is still to do, what comes first in front."""
    steps = [] if is_ready() else [_Step(10, redis_tool)]
    etcd, kubernetes = missing(["etcd"]), missing(control_plane_names()[1:])
    builds = [etcd, kubernetes]
    if helm:
        builds += [[] if is_built(HELM) else [HELM]]
    if tests:
        builds += [[] if is_built(VALE) else [VALE]]
    if floor:
        builds += [missing(control_plane_names(scheduler=False)[1:], FLOOR_VERSION)]
    if any(builds) and not go_is_ready():
        steps.append(_Step(20, go))
    steps += [
        _Step(estimated(sum(tool.seconds for tool in tools)), functools.partial(build_all, tools))
        for tools in builds
        if tools
    ]
    if tests:
        steps += [_Step(120, functools.partial(environment, name)) for name in _ENVIRONMENTS if not is_installed(name)]
        steps += [] if is_unpacked("prometheus") else [_Step(10, functools.partial(unpacked, "prometheus"))]
        steps += [] if chromium_is_ready() else [_Step(30, chromium)]
    return steps


def main() -> int:
    """Prepare from the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.prepare", description=__doc__)
    parser.add_argument(
        "--tests",
        action="store_true",
        help="also install what the tests run: azure-cli, checkov, Chromium, hadolint, mkdocs, promtool, Vale",
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
