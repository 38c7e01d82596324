"""`make release` and `make release-check`. docs/releasing.md describes them.

PYTHONPATH=operator:. python -m scripts.release VERSION    prepares the work tree, and builds the release into dist/
PYTHONPATH=operator:. python -m scripts.release --check    builds what is committed twice, and compares
"""

import argparse
import sys
import tempfile
from pathlib import Path

from scripts.release import changelog
from scripts.release.build import Built, Options, build
from scripts.release.checkout import Checkout
from scripts.release.errors import ReleaseError
from scripts.release.prepare import must_follow, prepare, state, unreleased
from scripts.release.provenance import THIS_MACHINE, Origin
from scripts.release.versions import Version

ROOT = Path(__file__).resolve().parents[2]


def release(checkout: Checkout, text: str, target: Path, options: Options) -> list[str]:
    """Release the version `text`. Returns the lines to print.

    Raises:
        ReleaseError: something must be corrected first.

    """
    version = Version.read(text)
    checkout.must_be_clean()
    current = state(checkout.root)
    prepared = current.is_prepared_for(version)
    head, tagged = checkout.head(), checkout.tagged(version.tag)
    if tagged and not (prepared and tagged == head):
        raise ReleaseError(
            f"The tag {version.tag} exists: choose a higher VERSION, or build that release again with "
            f"`git checkout {version.tag}` and the same command."
        )
    lines = []
    if not prepared:
        must_follow(current, version)
        try:
            changed = prepare(checkout, version, checkout.date())
        except ReleaseError as error:
            if checkout.git("status", "--porcelain"):
                raise ReleaseError(f"{error}\nThe version is written in part: `git restore .` removes it.") from error
            raise
        lines += [f"Wrote {version} into {len(changed)} files:", *(f"  {name}" for name in changed)]
    date = changelog.date_of(state(checkout.root).changelog, version)
    if date is None:
        raise ReleaseError(f"CHANGELOG.md has no section [{version}]: `git restore .` removes what was written.")
    origin = Origin(version.text, checkout.tree(), head, head if prepared else None, options.repository)
    built = build(checkout, origin, date, target, options)
    claims = [] if tagged else _claims(unreleased(checkout))
    return [*lines, *_report(built, target), *claims, *_next_steps(version, prepared=prepared, tagged=bool(tagged))]


def compare(checkout: Checkout, options: Options) -> list[str]:
    """Build the commit that is checked out twice, in different directories. Returns the names of files that differ."""
    checkout.must_be_clean()
    current = state(checkout.root)
    version = next(there for place, there in current.versions.items() if place.startswith("version in charts/"))
    date = changelog.date_of(current.changelog, version) or checkout.date()
    head = checkout.head()
    origin = Origin(version.text, checkout.tree(), head, head, options.repository)
    with tempfile.TemporaryDirectory(prefix="secure-redis-release-") as scratch:
        first, second = Path(scratch) / "first", Path(scratch) / "the second build"
        names = {path.name for place in (first, second) for path in build(checkout, origin, date, place, options).files}
        return sorted(
            name
            for name in names
            if not ((first / name).exists() and (second / name).exists())
            or (first / name).read_bytes() != (second / name).read_bytes()
        )


def _report(built: Built, target: Path) -> list[str]:
    lines = [f"Built into {target.name}/:"]
    lines += [f"  {path.name}  {_size(path.stat().st_size)}" for path in built.files]
    return lines + [f"Left out: {reason}." for reason in built.left_out]


def _claims(files: list[str]) -> list[str]:
    if not files:
        return []
    return [
        "These files state that there is no release or no published image. Correct them before the first release,",
        "and run `make chart-docs docs`:",
        *(f"  {name}" for name in files),
    ]


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"


def _next_steps(version: Version, *, prepared: bool, tagged: bool) -> list[str]:
    tag = version.tag
    if tagged:
        return [f"This is the release {tag} again. Compare the checksums with those that were published."]
    push = [f"  git tag --annotate --message 'Release {version}' {tag}", f"  git push origin HEAD {tag}"]
    if prepared:
        return ["Nothing was tagged. To publish this commit, run:", *push]
    return [
        "Nothing was committed. Review `git diff`, then run:",
        f"  git commit --all --message 'Release {version}'",
        f"  make release VERSION={version}",
        "The second build names the commit in the provenance and in the image. To publish it, run:",
        *push,
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description="Build a release into dist/.")
    parser.add_argument("version", nargs="?", default="", help="the version, like 1.2.3 or 1.2.3-rc.1")
    parser.add_argument("--check", action="store_true", help="build the checked-out commit twice, and compare")
    parser.add_argument("--source", default="", help="the address of the repository, for the provenance and the image")
    parser.add_argument("--builder", default="", help="the id of the builder, for the provenance")
    parser.add_argument("--image", default="", help="the pushed image that the chart names")
    parser.add_argument("--digest", default="", help="the digest of that image")
    parser.add_argument("--no-archive", action="store_true", help="build no image archive")
    given = parser.parse_args(arguments)
    options = Options(
        repository=given.source or None,
        builder=given.builder or THIS_MACHINE,
        image=given.image or None,
        digest=given.digest or None,
        archive=not given.no_archive,
    )
    try:
        if not given.check:
            sys.stdout.write("\n".join(release(Checkout(ROOT), given.version, ROOT / "dist", options)) + "\n")
            return 0
        differing = compare(Checkout(ROOT), options)
    except ReleaseError as error:
        sys.stderr.write(f"release: {error}\n")
        return 1
    sys.stdout.write("".join(f"differs: {name}\n" for name in differing) or "Two builds are equal, byte for byte.\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
