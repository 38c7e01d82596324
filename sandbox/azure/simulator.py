"""`AzureSimulator`: the simulator as a child process, for tests and `sandbox up`."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.azure.control.client import Control
from sandbox.azure.control.endpoints import Endpoints
from sandbox.processes import Child
from sandbox.waiting import wait_for

_START_SECONDS = 30


class AzureSimulator:
    """Runs `python -m sandbox.azure` until the end of the block. Enter it before a resolver reads the hosts file."""

    def __init__(
        self,
        directory: Path,
        *,
        redis: bool = False,
        domain: str = "sandbox.test",
        ca: Path | None = None,
        hosts: Path | None = None,
        port: int = 0,
        address: str = "127.0.0.1",
    ) -> None:
        """`redis` runs a real server per cache. `ca`, `hosts`: shared with others; default: below `directory`."""
        self.directory = directory.absolute()
        self._argv = [sys.executable, "-m", "sandbox.azure", "--directory", str(self.directory)]
        self._argv += ["--domain", domain, "--address", address, "--port", str(port)]
        self._argv += ["--redis"] if redis else []
        self._argv += ["--ca", str(ca.absolute())] if ca else []
        self._argv += ["--hosts", str(hosts.absolute())] if hosts else []
        self._child: Child | None = None
        self._control: Control | None = None

    def start(self) -> Control:
        """Start the simulator and wait until it listens. Raises ProcessError if it ends, TimeoutError after 30 s."""
        ready = self.directory / "azure.json"
        ready.unlink(missing_ok=True)
        # The child imports `sandbox` from where we did.
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        child = Child(
            self._argv, self.directory / "azure.log", name="azure simulator", env={**os.environ, "PYTHONPATH": paths}
        )
        self._child = child

        def listens() -> bool:
            child.check()
            return ready.exists()

        try:
            wait_for(listens, _START_SECONDS, "the Azure simulator to listen")
        except BaseException:
            child.kill()
            raise
        self._control = Control.of(self.directory)
        return self._control

    def stop(self) -> None:
        """End the simulator and its Redis servers. Its state is lost."""
        if self._child is not None:
            self._child.terminate()
            self._child = None
            self._control = None

    @property
    def control(self) -> Control:
        """Return the control client. Raises RuntimeError while it does not run."""
        if self._control is None:
            raise RuntimeError("the Azure simulator does not run")
        return self._control

    @property
    def endpoints(self) -> Endpoints:
        """Return the simulator's addresses."""
        return self.control.endpoints

    @property
    def log(self) -> Path:
        """Return the path of its output: its own errors only, never a secret."""
        return self.directory / "azure.log"

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()
