"""`python -m tests.clients.prepare`: install the clients before the tests start, since a test's time is limited.

Clients that this machine or a registry does not have are left out here. The tests then report them.
"""

import sys

from sandbox.cache import progress
from tests.clients.ecosystems import AbsentError, InstallError, RefusedError, launcher
from tests.clients.matrix import Ecosystem


def main() -> int:
    """Install every ecosystem. The exit code is 1 where an installation fails for a reason of its own."""
    failed = False
    for ecosystem in Ecosystem:
        try:
            launcher(ecosystem)
        except (AbsentError, RefusedError) as error:
            progress(f"clients of {ecosystem.value} left out: {error}")
        except InstallError as error:
            progress(f"clients of {ecosystem.value} not installed:\n{error}")
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
