"""The simulator's clock."""

from sandbox.azure.control.port import ControlPort


class ClockControl:
    """Reads the clock and puts it forward."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def now(self) -> float:
        """Return the simulator's Unix seconds."""
        return float(self._command("now"))

    def advance(self, seconds: float) -> float:
        """Put the clock forward and run what falls due. Returns the simulator's Unix seconds."""
        return float(self._command("advance", {"seconds": seconds}))
