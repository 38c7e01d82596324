"""The pinned Helm. With it, the tests install exactly the roles and policies that a user gets."""

from pathlib import Path

from sandbox.toolchain import Tool, build

HELM = Tool("helm", "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", 140)


def helm() -> Path:
    """Return the path of the pinned Helm 4, built into the cache first if needed.

    One on PATH is not taken: its version decides what a chart renders. Raises ToolchainError.
    """
    return build(HELM)
