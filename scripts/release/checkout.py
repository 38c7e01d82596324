"""The git checkout that is released. Nothing here commits, tags, or changes the index."""

import datetime as dt
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.release.errors import ReleaseError, run


@dataclass(frozen=True, slots=True)
class Checkout:
    """A work tree with its repository."""

    root: Path

    def git(self, *arguments: str, index: Path | None = None) -> str:
        """Run git here. Raises ReleaseError where it fails."""
        variables = {"GIT_INDEX_FILE": str(index)} if index else None
        return run(["git", *arguments], self.root, variables).strip()

    def must_be_clean(self) -> None:
        """Raise ReleaseError where a file differs from the commit, or is not known to git."""
        if not (self.root / ".git").exists():
            raise ReleaseError("This is not a git checkout: clone the repository and run `make release` there.")
        changed = [line.split(maxsplit=1)[1] for line in self.git("status", "--porcelain").splitlines()]
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise ReleaseError(
                f"The work tree has changes ({changed[0]}{more}): commit them or set them aside with "
                "`git stash --include-untracked`, then run the command again."
            )

    def head(self) -> str:
        """Return the id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def tagged(self, tag: str) -> str | None:
        """Return the commit that `tag` names, or None where there is no such tag."""
        listed = self.git("for-each-ref", "--format=%(objectname)", f"refs/tags/{tag}")
        return self.git("rev-parse", f"refs/tags/{tag}^{{commit}}") if listed else None

    def date(self) -> dt.date:
        """Return the day in UTC of SOURCE_DATE_EPOCH, or of the commit where that is not set."""
        text = os.environ.get("SOURCE_DATE_EPOCH") or self.git("show", "--no-patch", "--format=%ct", "HEAD")
        try:
            return dt.datetime.fromtimestamp(int(text), dt.UTC).date()
        except (ValueError, OverflowError, OSError) as error:
            raise ReleaseError(
                f"SOURCE_DATE_EPOCH={text} is not a time in seconds since 1970: set a whole number, or unset it."
            ) from error

    def tree(self) -> str:
        """Return the id of the tree that a commit of everything in the work tree would have."""
        with tempfile.TemporaryDirectory(prefix="secure-redis-release-") as scratch:
            index = Path(scratch) / "index"
            self.git("read-tree", "HEAD", index=index)
            self.git("add", "--all", index=index)
            return self.git("write-tree", index=index)

    def export(self, tree: str, target: Path) -> None:
        """Write the files of `tree` into the directory `target`, without those that git ignores."""
        with tempfile.TemporaryDirectory(prefix="secure-redis-release-") as scratch:
            index = Path(scratch) / "index"
            self.git("read-tree", tree, index=index)
            self.git("checkout-index", "--all", f"--prefix={target}/", index=index)
