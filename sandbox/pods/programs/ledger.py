"""The counters of canaries, in files that outlive their pods and are complete however a canary ends.

Two files a process: `<name>.count` is one line of fixed length, overwritten in place by one write at each attempt;
`<name>.failures` has a line (JSON) for each failure, appended before it is counted. The kernel has both when the write
returns, so a killed process loses nothing but the outcome of the attempt that it was in.
"""

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

AUTH = "AUTH"  # the kind of failure that must never be
_COUNT, _FAILURES = ".count", ".failures"
_LINE = "attempts {:020d} answered {:020d}\n"


class Ledger:
    """The counters of one process, created in `directory`."""

    def __init__(self, directory: Path, name: str) -> None:
        """Create the files. Raises OSError if they exist already."""
        directory.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._count = os.open(directory / f"{name}{_COUNT}", flags, 0o644)
        self._failures = os.open(directory / f"{name}{_FAILURES}", flags | os.O_APPEND, 0o644)
        self.attempts = self.answered = self.failed = 0
        self._write()

    def begin(self) -> None:
        """Count one more attempt."""
        self.attempts += 1
        self._write()

    def succeed(self) -> None:
        """Record that the attempt was answered."""
        self.answered += 1
        self._write()

    def fail(self, kind: str, at: str, text: str) -> None:
        """Record that the attempt failed. `at`: RFC 3339; `text` contains nothing secret."""
        line = json.dumps({"kind": kind, "at": at, "attempt": self.attempts, "text": text[:300]})
        os.write(self._failures, f"{line}\n".encode())
        self.failed += 1

    def _write(self) -> None:
        os.pwrite(self._count, _LINE.format(self.attempts, self.answered).encode(), 0)


@dataclasses.dataclass(frozen=True)
class Failure:
    """One failed attempt. `canary`: `<namespace>.<pod>.<process id>`."""

    canary: str
    kind: str
    at: str
    text: str


@dataclasses.dataclass(frozen=True)
class Tally:
    """The sum over canaries. `unfinished`: attempts that are under way or whose process was killed."""

    canaries: int = 0
    attempts: int = 0
    answered: int = 0
    failures: tuple[Failure, ...] = ()

    @property
    def kinds(self) -> Counter[str]:
        """Return how often each kind of failure came."""
        return Counter(failure.kind for failure in self.failures)

    @property
    def failed_auth(self) -> int:
        """Return how many attempts were refused for their key."""
        return self.kinds[AUTH]

    @property
    def unfinished(self) -> int:
        """Return the number of attempts without an outcome."""
        return self.attempts - self.answered - len(self.failures)

    def verdict(self) -> str:
        """Return the verdict, `failed AUTH: 0 of N`."""
        return f"failed AUTH: {self.failed_auth} of {self.attempts}"

    def others(self) -> str:
        """Return the other failures by kind, in words."""
        kinds = {kind: count for kind, count in sorted(self.kinds.items()) if kind != AUTH}
        summary = ", ".join(f"{kind} {count}" for kind, count in kinds.items()) or "none"
        return f"other failures: {summary}; under way when counted, or cut off by a pod's end: {self.unfinished}"


def tally(directory: Path, prefixes: tuple[str, ...] = ("",)) -> Tally:
    """Return the sum over all canaries that have ever counted in `directory`, and whose name has one of the prefixes.

    A name begins with that of the pod.
    """
    found = Tally()
    for path in sorted(one for one in directory.glob(f"*{_COUNT}") if one.name.startswith(prefixes)):
        # The failures first: one that comes in between is then counted next time, with its attempt.
        failures = tuple(_failures(path.with_suffix(_FAILURES)))
        words = path.read_text().split()
        attempts, answered = (int(words[1]), int(words[3])) if len(words) == 4 else (0, 0)
        found = Tally(
            found.canaries + 1, found.attempts + attempts, found.answered + answered, found.failures + failures
        )
    return found


def _failures(path: Path) -> Iterable[Failure]:
    text = path.read_text() if path.exists() else ""
    for line in text.splitlines():
        entry = json.loads(line)
        yield Failure(path.stem, entry["kind"], entry["at"], entry["text"])
