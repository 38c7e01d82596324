"""Converts the project's CycloneDX list of packages into SPDX 2.3, and validates it.

It runs in the environment of requirements/sbom.txt, which has spdx-tools, and imports no module of the project:

python spdx.py sbom.cdx.json sbom.spdx.json 2026-01-31T00:00:00Z
"""

import datetime as dt
import hashlib
import importlib.metadata
import json
import sys
import uuid
from pathlib import Path
from typing import Any

from spdx_tools.spdx.model import (
    Actor,
    ActorType,
    CreationInfo,
    Document,
    ExternalPackageRef,
    ExternalPackageRefCategory,
    Package,
    PackagePurpose,
    Relationship,
    RelationshipType,
    SpdxNoAssertion,
)
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from spdx_tools.spdx.writer.json import json_writer

_DOCUMENT = "SPDXRef-DOCUMENT"
_OPERATOR = "SPDXRef-operator"


def document(listed: dict[str, Any], digest: bytes, created: dt.datetime) -> Document:
    """Return the SPDX document of a CycloneDX one. `digest`: of its bytes, from which the document gets its name."""
    own = listed["metadata"]["component"]
    tool = Actor(ActorType.TOOL, f"spdx-tools-{importlib.metadata.version('spdx-tools')}")
    found = Document(
        CreationInfo(
            spdx_version="SPDX-2.3",
            spdx_id=_DOCUMENT,
            name=f"{own['name']}-{own['version']}",
            document_namespace=f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=5)}",
            creators=[tool],
            created=created,
        )
    )
    found.packages.append(_package(own, _OPERATOR, PackagePurpose.APPLICATION))
    found.relationships.append(Relationship(_DOCUMENT, RelationshipType.DESCRIBES, _OPERATOR))
    for component in sorted(listed["components"], key=lambda one: str(one["name"])):
        name = f"SPDXRef-package-{component['name']}"
        found.packages.append(_package(component, name, PackagePurpose.LIBRARY))
        found.relationships.append(Relationship(_OPERATOR, RelationshipType.DEPENDS_ON, name))
    return found


def _package(component: dict[str, Any], name: str, purpose: PackagePurpose) -> Package:
    address = component.get("purl")
    category = ExternalPackageRefCategory.PACKAGE_MANAGER
    return Package(
        spdx_id=name,
        name=component["name"],
        version=component["version"],
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        license_concluded=SpdxNoAssertion(),
        license_declared=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
        primary_package_purpose=purpose,
        external_references=[ExternalPackageRef(category, "purl", address)] if address else [],
    )


def main(arguments: list[str]) -> int:
    """Convert one file. Returns the exit code."""
    source, target, created = arguments
    content = Path(source).read_bytes()
    made = document(json.loads(content), hashlib.sha256(content).digest(), dt.datetime.fromisoformat(created))
    # The library counts times without a zone as UTC, and writes no zone of its own.
    made.creation_info.created = made.creation_info.created.replace(tzinfo=None)
    wrong = validate_full_spdx_document(made)
    if wrong:
        sys.stderr.write("".join(f"{one.validation_message}\n" for one in wrong))
        return 1
    json_writer.write_document_to_file(made, target, validate=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
