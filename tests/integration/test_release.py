"""A release is built really: what it consists of, and that two builds have the same bytes."""

import datetime as dt
import json
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sandbox.helm import helm
from scripts.release import sbom
from scripts.release.__main__ import release
from scripts.release.build import CHECKSUMS, Options
from scripts.release.checkout import Checkout
from tests.unit.release.conftest import ROOT, commit, repository

pytestmark = pytest.mark.timeout(2400)  # tools are installed once; an image takes a minute and more
VERSION = "7.8.9"
STEM = f"secure-redis-operator-{VERSION}"
MOMENT = "2026-01-31T00:00:00Z"
PUBLISHED = Options(repository="https://git.example.com/secure-redis-operator", image="registry.example.com/operator")


def packages(spdx: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["versionInfo"] for one in spdx["packages"] if one["SPDXID"] != "SPDXRef-operator"}


def test_both_lists_have_the_packages_of_the_operator(tmp_path: Path) -> None:
    cyclonedx, spdx = tmp_path / "a.cdx.json", tmp_path / "a.spdx.json"
    sbom.write(ROOT, cyclonedx, spdx, dt.datetime.fromisoformat(MOMENT))
    listed = json.loads(cyclonedx.read_text())
    wanted = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE))
    assert {one["name"]: one["version"] for one in listed["components"]} == wanted
    made = json.loads(spdx.read_text())
    assert made["spdxVersion"] == "SPDX-2.3"
    assert made["creationInfo"]["created"] == MOMENT
    assert packages(made) == wanted
    addresses = [one["externalRefs"][0]["referenceLocator"] for one in made["packages"] if "externalRefs" in one]
    assert len(addresses) == len(wanted)
    assert all(address.startswith("pkg:pypi/") for address in addresses)


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.slow
def test_a_release_before_and_after_its_commit(tmp_path: Path) -> None:
    root = repository(tmp_path / "repository")
    checkout = Checkout(root)
    before, after, again = (tmp_path / name for name in ("before", "after", "again"))

    said = release(checkout, VERSION, before, PUBLISHED)
    assert "Nothing was committed. Review `git diff`, then run:" in said
    made = files(before)
    image = next((name for name in made if name.endswith(".oci.tar")), None)
    assert (image is None) is any(line.startswith("Left out: the image archive") for line in said)
    ends = (".tgz", "-docs.tar.gz", ".cdx.json", ".spdx.json", ".notes.md", ".provenance.json")
    own = {f"{STEM}{end}" for end in ends}
    assert set(made) == own | {CHECKSUMS} | ({image} if image else set())
    subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=before, check=True, capture_output=True)
    chart(before / f"{STEM}.tgz")
    assert (before / f"{STEM}.notes.md").read_text() in (root / "CHANGELOG.md").read_text()
    with tarfile.open(before / f"{STEM}-docs.tar.gz") as site:
        page = site.extractfile(f"{STEM}-docs/install.html")
        assert page is not None
        assert f"Version {VERSION}" in page.read().decode()

    commit(root, f"Release {VERSION}")
    said = release(checkout, VERSION, after, PUBLISHED)
    assert "Nothing was tagged. To publish this commit, run:" in said
    subprocess.run(["git", "tag", f"v{VERSION}"], cwd=root, check=True)
    assert release(checkout, VERSION, again, PUBLISHED)[-1].startswith(f"This is the release v{VERSION} again.")
    assert files(after) == files(again)
    # docs/releasing.md lists these: they name the commit, which was not made before.
    differing = {name for name, content in files(after).items() if content != made[name]}
    assert differing == {f"{STEM}.provenance.json", CHECKSUMS} | ({image} if image else set())
    statement = json.loads((after / f"{STEM}.provenance.json").read_text())
    assert {one["name"] for one in statement["subject"]} == set(made) - {CHECKSUMS, f"{STEM}.provenance.json"}
    code = statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    assert code["digest"] == {"gitTree": checkout.git("rev-parse", "HEAD^{tree}"), "gitCommit": checkout.head()}
    if image:
        labels(after / image, checkout.head())


def chart(package: Path) -> None:
    shown = subprocess.run(
        [str(helm()), "show", "all", str(package)], capture_output=True, text=True, check=True
    ).stdout
    assert f"\nversion: {VERSION}\n" in shown
    assert re.search(rf'\nappVersion: "?{VERSION}"?\n', shown)
    assert '\n  repository: "registry.example.com/operator"\n' in shown
    rendered = subprocess.run(
        [str(helm()), "template", "x", str(package), "--namespace", "y"], capture_output=True, text=True, check=True
    ).stdout
    assert "kind: CustomResourceDefinition" in rendered


def labels(archive: Path, revision: str) -> None:
    with tarfile.open(archive) as image:

        def blob(name: str) -> Any:
            content = image.extractfile(name)
            assert content is not None
            return json.load(content)

        (listed,) = blob("index.json")["manifests"]
        manifest = blob(f"blobs/{listed['digest'].replace(':', '/')}")
        config = blob(f"blobs/{manifest['config']['digest'].replace(':', '/')}")
    found = {name.removeprefix("org.opencontainers.image."): text for name, text in config["config"]["Labels"].items()}
    assert (found["version"], found["revision"], found["source"]) == (VERSION, revision, PUBLISHED.repository)
