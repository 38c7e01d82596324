"""Faults of the simulated Azure."""

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.azure.control.port import ControlError, ControlPort
from sandbox.azure.state.faults import Fault, Trouble, regeneration


class FaultControl:
    """Adds and removes faults."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def add(self, fault: Fault) -> str:
        """Put a fault in force. Returns its id."""
        return str(self._command("fault-add", fault.model_dump()))

    def remove(self, identifier: str) -> None:
        """End a fault. A request that hangs is then answered 504."""
        self._command("fault-remove", {"id": identifier})

    def clear(self) -> None:
        """End all faults."""
        self._command("faults-clear")

    def hits(self) -> dict[str, int]:
        """Return how often each fault in force has hit."""
        return dict(self._command("fault-hits"))

    def add_regeneration(self, cache: str, trouble: Trouble, *, seconds: float = 30.0, times: int | None = 1) -> str:
        """Make the next `times` regenerateKey of one cache fail; see `faults.regeneration`. Returns the fault's id.

        Raises ControlError if there is no such cache.
        """
        found = self._command("cache", {"cache": cache}) or self._command("managed", {"cluster": cache})
        if found is None:
            raise ControlError(f"there is no cache {cache!r}")
        return self.add(regeneration(str(found["id"]), trouble, seconds=seconds, times=times))

    @contextmanager
    def during(self, fault: Fault) -> Iterator[str]:
        """Keep a fault in force until the end of the block."""
        identifier = self.add(fault)
        try:
            yield identifier
        finally:
            self.remove(identifier)
