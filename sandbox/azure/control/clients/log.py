"""The logs of the simulator: the requests that it answered and what they changed."""

from sandbox.azure.control.port import ControlPort
from sandbox.azure.state.request_log import Effect, LoggedRequest


class LogControl:
    """Reads the logs."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def requests(self, since: int = 0, *, service: str | None = None, path: str = "") -> list[LoggedRequest]:
        """Return the requests after number `since`, of one service, with `path` in their path (ignoring case)."""
        found = [LoggedRequest.model_validate(one) for one in self._command("requests", {"since": since})]
        return [r for r in found if service in (None, r.service) and path.lower() in r.path.lower()]

    def writes(self, since: int = 0) -> list[LoggedRequest]:
        """Return the requests that are writes, whether they succeeded or not."""
        return [r for r in self.requests(since) if r.is_write]

    def effects(self, since: int = 0) -> list[Effect]:
        """Return what writes changed, after number `since`."""
        return [Effect.model_validate(one) for one in self._command("effects", {"since": since})]

    def position(self) -> int:
        """Return the number of the last entry. Given as `since`, it selects everything logged from now on."""
        return int(self._command("log-position"))

    def clear(self) -> None:
        """Delete the logs."""
        self._command("log-clear")
