"""The pinned Vale, which checks the prose of the documentation (scripts/prose.py)."""

from pathlib import Path

from sandbox.toolchain import Tool, build

VALE = Tool("vale", "vale", "github.com/vale-cli/vale/v3/cmd/vale", "github.com/vale-cli/vale/v3", 85)


def vale() -> Path:
    """Return the path of the pinned Vale, built into the cache first if needed.

    One on PATH is not taken: its version decides what is a sentence. Raises ToolchainError.
    """
    return build(VALE)
