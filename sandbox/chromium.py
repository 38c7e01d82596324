"""A Chromium that runs without a display: from PATH, else the distribution's package unpacked into the cache."""

import dataclasses
import functools
import os
import shutil
import subprocess
from pathlib import Path

from sandbox.cache import cache_dir
from sandbox.debian import PackageError, is_unpacked, libraries, unpacked

_PACKAGE = "chromium"
_FONTS = "fonts-liberation"  # a machine without a display has hardly any
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_TRIAL_SECONDS = 60
_FONT_CONFIGURATION = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>sans-serif</family><prefer><family>Liberation Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>Liberation Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>Liberation Mono</family></prefer></alias>
</fontconfig>
"""


class ChromiumError(RuntimeError):
    """No Chromium is available here. The text states what to install."""


@dataclasses.dataclass(frozen=True)
class Chromium:
    """A program, and the environment variables that it needs besides the usual."""

    program: Path
    environment: dict[str, str]


@functools.cache
def chromium() -> Chromium:
    """Return a Chromium that starts. It has the same fonts everywhere if apt is available. Raises ChromiumError."""
    try:
        fonts = {"FONTCONFIG_FILE": str(_fonts())}
    except PackageError:
        fonts = {}
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None and _starts(tool := Chromium(Path(found), fonts)):
            return tool
    try:
        home = unpacked(_PACKAGE)
    except PackageError as error:
        raise ChromiumError(
            f"No Chromium on PATH, and {error}: install Chromium or Chrome (Debian: {_PACKAGE})."
        ) from error
    tool = Chromium(home / "usr/lib/chromium/chromium", {**fonts, "LD_LIBRARY_PATH": libraries(home)})
    if not _starts(tool):
        raise ChromiumError(f"The package {_PACKAGE} of this system does not start: put a Chromium on PATH.")
    return tool


def is_ready() -> bool:
    """Return whether `chromium` has nothing to fetch, if a Chromium on PATH starts."""
    return is_unpacked(_FONTS) and (is_unpacked(_PACKAGE) or any(map(shutil.which, _NAMES)))


def _fonts() -> Path:
    file = cache_dir() / "debian" / "chromium-fonts.conf"
    text = _FONT_CONFIGURATION.format(
        fonts=unpacked(_FONTS) / "usr/share/fonts", cache=cache_dir() / "debian" / "chromium-fontconfig"
    )
    if not file.exists() or file.read_text() != text:
        partial = file.with_name(f"{file.name}.{os.getpid()}")
        partial.write_text(text)
        partial.replace(file)
    return file


def _starts(tool: Chromium) -> bool:
    # A browser of a snap, and one that lacks a library, end here with an error.
    try:
        tried = subprocess.run(
            [tool.program, "--headless", "--version"],
            env={**os.environ, **tool.environment},
            capture_output=True,
            check=False,
            timeout=_TRIAL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0
