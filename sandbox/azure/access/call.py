"""One request on its way through the simulator."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sandbox.azure.access.tokens import Principal
from sandbox.azure.responses import Refusal
from sandbox.azure.state.world import World


@dataclass(slots=True)
class Call:
    """A request with what a handler and the log require."""

    world: World
    request: web.Request
    service: str
    raw: bytes = field(repr=False)
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    principal: Principal | None = None
    action: str | None = None
    authorized: set[str] = field(default_factory=set)

    @property
    def correlation_id(self) -> str:
        """Return the caller's correlation id, else the request's own id."""
        return self.request.headers.get("x-ms-correlation-request-id") or self.request_id

    @property
    def method(self) -> str:
        """GET, PUT, …"""
        return self.request.method

    @property
    def path(self) -> str:
        """Return the decoded path."""
        return self.request.path

    @property
    def object_id(self) -> str | None:
        """Return the object id of the caller, once it is known."""
        return self.principal.object_id if self.principal else None

    def json(self) -> dict[str, Any]:
        """Return the body as an object. Raises Refusal with ARM's words if it is none."""
        try:
            parsed = json.loads(self.raw or b"{}")
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise Refusal(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            )
        return parsed

    def effect(self, kind: str, target: str, fields: tuple[str, ...] = ()) -> None:
        """Record a change in the log of effects."""
        self.world.log.effect(self.world.timeline.now(), kind, target, self.object_id, fields)
