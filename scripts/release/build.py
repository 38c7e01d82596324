"""Builds everything that a release consists of from one tree of the repository."""

import datetime as dt
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.helm import helm
from sandbox.images import Builder, ImageError
from sandbox.toolchain import ToolchainError
from scripts import docs_site
from scripts.release import archives, changelog, sbom
from scripts.release.checkout import Checkout
from scripts.release.errors import ReleaseError, run
from scripts.release.prepare import CHART, NAME
from scripts.release.provenance import THIS_MACHINE, Origin, sha256, statement
from scripts.release.versions import Version

CHECKSUMS = "SHA256SUMS"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Options:
    """The choices of the caller. Each except `archive` is a variable of `make release`.

    `repository`: the address of the code. `builder`: the id of the builder in the provenance. `image` and `digest`: the
    pushed image that the chart names. `archive`: whether the image archive is built.
    """

    repository: str | None = None
    builder: str = THIS_MACHINE
    image: str | None = None
    digest: str | None = None
    archive: bool = True

    def parameters(self) -> dict[str, str]:
        """Return those that decide the contents of the artifacts, for the provenance."""
        given = {"SOURCE": self.repository, "IMAGE": self.image, "DIGEST": self.digest}
        return {name: value for name, value in given.items() if value}


@dataclass(slots=True)
class Built:
    """The files that were made, in the order of their names, and what was left out, each with its reason."""

    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def build(checkout: Checkout, origin: Origin, date: dt.date, target: Path, options: Options) -> Built:
    """Build the release into the directory `target`. Earlier releases there are removed, other files stay.

    Raises:
        ReleaseError: a part cannot be built. The image archive alone may be missing.

    """
    moment = dt.datetime.combine(date, dt.time(), dt.UTC)
    seconds = int(moment.timestamp())
    target.mkdir(parents=True, exist_ok=True)
    for old in [*target.glob(f"{NAME}-*"), *target.glob(f"{CHECKSUMS}*")]:
        old.unlink()
    stem = f"{NAME}-{origin.version}"
    built = Built()
    previous = os.umask(0o022)  # modes of exported files enter the image
    try:
        with tempfile.TemporaryDirectory(prefix="secure-redis-release-") as scratch:
            source = Path(scratch) / "source"
            source.mkdir()
            checkout.export(origin.tree, source)
            _chart(source, Path(scratch), target / f"{stem}.tgz", seconds, options)
            _site(source, Path(scratch) / "site", target / f"{stem}-docs.tar.gz", seconds, origin, options)
            _notes(source, target / f"{stem}.notes.md", origin.version)
            sbom.write(source, target / f"{stem}.cdx.json", target / f"{stem}.spdx.json", moment)
            base = None
            if options.archive:
                architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
                file = target / f"{stem}-linux-{architecture}.oci.tar"
                try:
                    base = _image(source, Path(scratch), file, seconds, origin, options)
                except ImageError as error:
                    built.left_out.append(
                        f"the image archive. Reason: {error}. Where Docker runs, `docker build .` builds it"
                    )
            artifacts = sorted(target.glob(f"{stem}*"))
            said = statement(artifacts, source, origin, options.parameters(), options.builder, base)
        provenance = target / f"{stem}.provenance.json"
        provenance.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    finally:
        os.umask(previous)
    listed = sorted([*artifacts, provenance])
    sums = target / CHECKSUMS
    sums.write_text("".join(f"{sha256(path)}  {path.name}\n" for path in listed), encoding="utf-8")
    built.files = [*listed, sums]
    return built


def _chart(source: Path, scratch: Path, file: Path, seconds: int, options: Options) -> None:
    """Package the chart. Where an image is given, the chart's values name it."""
    chart = source / CHART
    values = chart / "values.yaml"
    text = values.read_text(encoding="utf-8")
    for name, value in (("repository", options.image), ("digest", options.digest)):
        if value:
            text = _set(text, name, value)
    values.write_text(text, encoding="utf-8")
    try:
        program = helm()
    except ToolchainError as error:
        raise ReleaseError(f"The chart cannot be packaged without Helm: {error}") from error
    home = {f"HELM_{name}_HOME": str(scratch / f"helm-{name.lower()}") for name in ("CACHE", "CONFIG", "DATA")}
    packages = scratch / "chart"
    run([str(program), "package", str(chart), "--destination", str(packages)], source, home)
    (package,) = packages.glob("*.tgz")
    if package.name != file.name:
        raise ReleaseError(f"Helm packaged {package.name} where {file.name} was expected: check the chart's version.")
    file.write_bytes(archives.compressed(archives.tar(archives.inside(package), seconds)))


def _set(values: str, name: str, value: str) -> str:
    """Return the chart's values with `image.<name>` set. It is the one line of this name below `image:`."""
    head, found, rest = values.partition("\nimage:\n")
    lines = rest.split("\n")
    at = next((number for number, line in enumerate(lines) if line.startswith(f"  {name}:")), None)
    if not found or at is None or any(line and not line.startswith((" ", "#")) for line in lines[:at]):
        raise ReleaseError(f"The chart's values.yaml has no line `{name}:` below `image:`, where the image is named.")
    lines[at] = f"  {name}: {json.dumps(value)}"
    return head + found + "\n".join(lines)


def _notes(source: Path, file: Path, version: str) -> None:
    """Write the changelog's section of the version, if there is one."""
    text = changelog.notes((source / "CHANGELOG.md").read_text(encoding="utf-8"), Version(version))
    if text is not None:
        file.write_text(text, encoding="utf-8")


def _site(source: Path, site: Path, file: Path, seconds: int, origin: Origin, options: Options) -> None:
    settings = {"SECURE_REDIS_DOCS_VERSION": f"Version {origin.version}", "SOURCE_DATE_EPOCH": str(seconds)}
    settings["SECURE_REDIS_DOCS_REPOSITORY"] = options.repository or ""
    try:
        docs_site.build(site, source / "mkdocs.yml", settings)
    except docs_site.SiteError as error:
        raise ReleaseError(f"The documentation site cannot be built:\n{error}") from error
    # mkdocs compresses its map of the site with the time of the build, and no reader requires it compressed.
    (site / "sitemap.xml.gz").unlink(missing_ok=True)
    members = archives.below(site, f"{file.name.removesuffix('.tar.gz')}/")
    file.write_bytes(archives.compressed(archives.tar(members, seconds)))


def _image(
    source: Path, scratch: Path, file: Path, seconds: int, origin: Origin, options: Options
) -> Mapping[str, str] | None:
    """Write the image as an archive. Returns the digest of its base. Raises ImageError."""
    labels = {"VERSION": origin.version, "REVISION": origin.commit or f"tree-{origin.tree}"}
    if options.repository:
        labels["SOURCE"] = options.repository
    layout = scratch / "image"
    builder = Builder(scratch / "buildah", seconds)
    try:
        builder.build(source, **labels)
        builder.export(layout, origin.version)
    finally:
        builder.remove()
    file.write_bytes(archives.tar(archives.below(layout), seconds))
    blobs = layout / "blobs/sha256"
    (listed,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads((blobs / listed["digest"].removeprefix("sha256:")).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    return {"sha256": config["rootfs"]["diff_ids"][0].removeprefix("sha256:")}
