"""A machine without Chromium gets a sentence that states what to install."""

from pathlib import Path

import pytest

from sandbox.chromium import ChromiumError, chromium


def test_a_machine_without_chromium_and_apt_learns_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SECURE_REDIS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ChromiumError, match=r"No Chromium on PATH, and .* no apt-get: install Chromium"):
        chromium.__wrapped__()


def test_a_program_that_does_not_start_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ubuntu's `chromium-browser` starts a snap, which a container cannot run."""
    (tmp_path / "chromium").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "google-chrome").write_text("#!/bin/sh\nexit 0\n")
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SECURE_REDIS_CACHE", str(tmp_path / "cache"))
    assert chromium.__wrapped__().program == tmp_path / "google-chrome"
