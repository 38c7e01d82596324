"""Archives whose bytes depend on names, modes and contents only."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    content: bytes
    executable: bool = False


def tar(members: Mapping[str, Member], seconds: int) -> bytes:
    """Return an uncompressed archive of `members` by path, sorted.

    Each has the time `seconds`, the owner 0, and the mode 0644 or 0755. Directories have no entry.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, member in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.mtime = seconds
            entry.mode = 0o755 if member.executable else 0o644
            entry.size = len(member.content)
            archive.addfile(entry, io.BytesIO(member.content))
    return buffer.getvalue()


def compressed(data: bytes) -> bytes:
    """Return `data` as gzip, without a name and a time in its header."""
    return gzip.compress(data, mtime=0)


def below(directory: Path, prefix: str = "") -> dict[str, Member]:
    """Return the files below `directory`, with `prefix` before their paths. Symbolic links are followed."""
    found = sorted(path for path in directory.rglob("*") if path.is_file())
    return {
        f"{prefix}{path.relative_to(directory).as_posix()}": Member(
            path.read_bytes(), bool(path.stat().st_mode & 0o100)
        )
        for path in found
    }


def inside(archive: Path) -> dict[str, Member]:
    """Return the files in a compressed tar archive."""
    found = {}
    with tarfile.open(archive, mode="r:gz") as given:
        for entry in given:
            content = given.extractfile(entry)
            if content is not None:
                found[entry.name] = Member(content.read(), bool(entry.mode & 0o100))
    return found
