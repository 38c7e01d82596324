"""The provenance statement: in-toto Statement v1 with a predicate of SLSA Provenance v1. It is not signed here."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:secure-redis-operator:make-release:v1"  # described in docs/releasing.md
THIS_MACHINE = "urn:secure-redis-operator:builder:unnamed"
# The files that decide the contents beside the code.
_INPUTS = (
    "Dockerfile",
    "requirements/runtime.txt",
    "requirements/build.txt",
    "requirements/docs.txt",
    "requirements/sbom.txt",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The built code. `commit`: None where the tree is not committed yet; `head` is then the commit it would follow."""

    version: str
    tree: str
    head: str
    commit: str | None
    repository: str | None


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def statement(
    artifacts: Sequence[Path],
    source: Path,
    origin: Origin,
    parameters: Mapping[str, str],
    builder: str,
    base: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return the statement about `artifacts`, which were built from the tree `source`.

    `parameters`: what the caller chose. `base`: the digest of the image's base, where an image was built. The
    statement contains no times, so that two builds have the same one.
    """
    digest = {"gitTree": origin.tree} | ({"gitCommit": origin.commit} if origin.commit else {})
    code: dict[str, Any] = {"name": "source", "digest": digest}
    if origin.repository:
        code["uri"] = f"git+{origin.repository}"
    dependencies = [code]
    if origin.commit is None:
        dependencies.append({"name": "commit before the release", "digest": {"gitCommit": origin.head}})
    dependencies += [{"name": name, "digest": {"sha256": sha256(source / name)}} for name in _INPUTS]
    if base:
        dependencies.append({"name": "base of the image archive", "digest": dict(base)})
    return {
        "_type": STATEMENT,
        "subject": [{"name": path.name, "digest": {"sha256": sha256(path)}} for path in artifacts],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"VERSION": origin.version, **parameters},
                "internalParameters": {},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": builder, "version": {"python": platform.python_version()}}},
        },
    }
