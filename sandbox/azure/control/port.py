"""The client's connection to the control port."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

_TIMEOUT = 30  # seconds; the port is on loopback


class ControlError(RuntimeError):
    """The simulator refused a command. The text says why."""


class ControlPort:
    """Sends commands to the control port of a running simulator."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token

    def command(self, name: str, body: Mapping[str, Any] | None = None) -> Any:
        """Run a command. Raises ControlError with the simulator's reason."""
        request = urllib.request.Request(  # noqa: S310 - the URL is our own, on loopback
            f"{self.url}/{name}",
            data=json.dumps(body or {}).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method="POST",
        )
        # The control port must not use a proxy of the environment.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise ControlError(f"{name}: {text}") from None
        except urllib.error.URLError as error:
            raise ControlError(f"{name}: the simulator does not answer: {error.reason}") from None
