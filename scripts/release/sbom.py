"""The packages that the operator runs with, as CycloneDX and as SPDX.

PYTHONPATH=operator:. python -m scripts.release.sbom    writes dist/sbom.cdx.json and dist/sbom.spdx.json
"""

import datetime as dt
import sys
from pathlib import Path

from sandbox.environments import EnvironmentFailedError, environment
from scripts.release.checkout import Checkout
from scripts.release.errors import ReleaseError, run

ROOT = Path(__file__).resolve().parents[2]
_CONVERTER = Path(__file__).with_name("spdx.py")


def write(source: Path, cyclonedx: Path, spdx: Path, moment: dt.datetime) -> None:
    """Write both lists of the tree `source`. `moment`: the creation time that SPDX requires.

    Raises:
        ReleaseError: a tool cannot be installed, or fails.

    """
    try:
        programs = environment("sbom") / "bin"
    except EnvironmentFailedError as error:
        raise ReleaseError(str(error)) from error
    # --output-reproducible: without a time and a serial number.
    command = [str(programs / "cyclonedx-py"), "requirements", "requirements/runtime.txt"]
    command += ["--pyproject", "pyproject.toml", "--output-reproducible", "--output-format", "JSON"]
    run([*command, "--output-file", str(cyclonedx)], source)
    created = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    run([str(programs / "python"), "-I", str(_CONVERTER), str(cyclonedx), str(spdx), created], source)


def main() -> int:
    """Write the lists of the work tree. Returns the exit code."""
    target = ROOT / "dist"
    target.mkdir(exist_ok=True)
    try:
        moment = dt.datetime.combine(Checkout(ROOT).date(), dt.time(), dt.UTC)
        write(ROOT, target / "sbom.cdx.json", target / "sbom.spdx.json", moment)
    except ReleaseError as error:
        sys.stderr.write(f"sbom: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
