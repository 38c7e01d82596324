"""The CRDs of Argo CD and Flux, from their Go modules. Only tests read them."""

import json
from pathlib import Path
from typing import Final

from sandbox.cache import progress
from sandbox.toolchain import ToolchainError, go, run_go

# module: version, checksum of the module's zip (as in go.sum), and where its CRDs are
_MODULES: Final = {
    "github.com/argoproj/argo-cd/v3": (
        "v3.2.6",
        "h1:nDCjBnHyxUf6JFuCKjuuXHS23LFj6/TjuO/APrS1ku4=",
        "manifests/crds/*-crd.yaml",
    ),
    "github.com/fluxcd/helm-controller": (
        "v1.4.0",
        "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
        "config/crd/bases/*.yaml",
    ),
    "github.com/fluxcd/kustomize-controller": (
        "v1.7.3",
        "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M=",
        "config/crd/bases/*.yaml",
    ),
    "github.com/fluxcd/source-controller": (
        "v1.7.3",
        "h1:gFfeBiNUgF0kFFGap/rrMeJqz+0Tod0ARENJO8w/UA8=",
        "config/crd/bases/*.yaml",
    ),
}


def gitops_definitions() -> list[Path]:
    """Return the files with the CRDs of the pinned versions, fetched into Go's own cache of modules if missing.

    Raises:
        ToolchainError: a module cannot be fetched, or is not the one whose checksum is pinned.

    """
    return [file for module in _MODULES for file in _files(module)]


def _files(module: str) -> list[Path]:
    version, checksum, pattern = _MODULES[module]
    progress(f"the CRDs of {module} {version}")
    answer = json.loads(run_go(go(), "mod", "download", "-json", f"{module}@{version}"))
    if answer["Sum"] != checksum:
        raise ToolchainError(f"{module} {version} has the checksum {answer['Sum']}, pinned is {checksum}")
    files = sorted(Path(answer["Dir"]).glob(pattern))
    if not files:
        raise ToolchainError(f"{module} {version} has no file {pattern}")
    return files
