"""Which differences `spec.drift.ignore` leaves out. A security-class one stays, whatever is asked."""

from collections.abc import Iterable, Sequence

from secure_redis.api.spec import DriftClass
from secure_redis.domain.drift import COMPARED, Drift


def ignoring(found: Iterable[Drift], paths: Sequence[str]) -> tuple[tuple[Drift, ...], tuple[str, ...]]:
    """The differences that are left, in their order, and what has to be told about the paths."""
    kept: list[Drift] = []
    notes = [
        f"drift.ignore: {path!r} names no field that is compared, so it does nothing"
        for path in paths
        if not any(below(field, path) or below(path, field) for field in COMPARED)
    ]
    for entry in found:
        by = next((path for path in paths if below(entry.path, path)), None)
        if by is None:
            kept.append(entry)
        elif entry.drift_class is DriftClass.SECURITY:
            kept.append(entry)
            notes.append(f"drift.ignore: {entry.path} is not ignored, because the difference is one of class Security")
    return tuple(kept), tuple(notes)


def below(path: str, above: str) -> bool:
    """Whether `path` is the field `above` or lies below it, by whole segments: `a.b` and `a[x]` lie below `a`."""
    return path == above or (path.startswith(above) and path[len(above)] in ".[")
