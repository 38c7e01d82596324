"""The version of this build."""

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """Return the installed package's version; `0.0.0+source` when run from a source tree."""
    try:
        return metadata.version("secure-redis-operator")
    except metadata.PackageNotFoundError:
        return "0.0.0+source"
