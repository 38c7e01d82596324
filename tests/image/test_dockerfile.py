"""The Dockerfile, checked without building it."""

import re
import subprocess
from pathlib import Path

from sandbox.environments import environment

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


def _lint(text: str) -> subprocess.CompletedProcess[str]:
    command = [str(environment("hadolint") / "bin" / "hadolint"), "--config", str(ROOT / ".hadolint.yaml"), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing() -> None:
    done = _lint(DOCKERFILE.read_text(encoding="utf-8"))
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_can_find_something() -> None:
    assert "DL3006" in _lint("FROM debian\n").stdout


def test_base_images_are_pinned_by_digest_and_are_the_same() -> None:
    bases = re.findall(r"^ARG (?:BUILD|RUN)_IMAGE=(\S+)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(bases) == 2
    assert bases[0] == bases[1]
    assert re.fullmatch(r"\S+:\S+@sha256:[0-9a-f]{64}", bases[0])
