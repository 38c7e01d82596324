"""The settings of the simulator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.azure.control.port import ControlPort
from sandbox.azure.state.settings import Settings


class SettingsControl:
    """Reads and changes the settings."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def get(self) -> Settings:
        """Return the current settings."""
        return self.change()

    def change(self, **changes: Any) -> Settings:
        """Change settings; the others stay. Returns all."""
        return Settings.model_validate(self._command("settings", changes))

    @contextmanager
    def during(self, **changes: Any) -> Iterator[Settings]:
        """Change settings until the end of the block."""
        before = self.get().model_dump()
        try:
            yield self.change(**changes)
        finally:
            self.change(**{name: before[name] for name in changes})
