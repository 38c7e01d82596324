"""Serves the built documentation site on this machine, and reads it with a headless Chromium.

The browser is driven by `docs_browser_program.py`, in the environment of requirements/browser.txt.
"""

import contextlib
import functools
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.chromium import ChromiumError, chromium
from sandbox.environments import EnvironmentFailedError, environment

_PROGRAM = Path(__file__).with_name("docs_browser_program.py")
# Of tests, whose made-up names the browser does not need.
_NOT_INHERITED = ("LD_PRELOAD", "PYTHONPATH")


class BrowserError(RuntimeError):
    """The browser cannot be installed, or it failed. The text states why."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Print no line for each request."""


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve `site` on a free port of the loopback interface. Gives its address, without a slash at the end."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def read(job: dict[str, Any]) -> Any:
    """Give `job` to the browser, and return its answer. The program describes both.

    Raises:
        BrowserError: the browser is not available here, or it failed.

    """
    try:
        browser = chromium()
        python = environment("browser") / "bin" / "python"
    except (ChromiumError, EnvironmentFailedError) as error:
        raise BrowserError(str(error)) from error
    variables = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    done = subprocess.run(  # noqa: S603 - the project's own command
        [str(python), str(_PROGRAM), str(browser.program)],
        input=json.dumps(job),
        env={**variables, **browser.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BrowserError(f"The browser failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)
