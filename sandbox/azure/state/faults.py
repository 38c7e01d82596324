"""Injected faults: the requests that they hit, and what happens to the answers."""

import asyncio
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["status", "html", "truncated", "hang", "reset", "delay"]


class Fault(BaseModel):
    """A fault. It matches by service, method, path and principal, lets `skip` requests pass, then hits `times`.

    The kind `status` answers `status` with `headers` and `body` (JSON). `html` answers a proxy's error page.
    `truncated` cuts the real JSON in half. `hang` never answers. `reset` resets the connection. `delay` answers
    `seconds` later (real time).

    `when`: before the request has any effect, after it (the answer is lost), or `later`. Then the answer is lost too,
    and the request has its effect `seconds` later (of the simulator's clock). The effect comes even if the client has
    gone or the fault is lifted by then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default_factory=lambda: uuid.uuid4().hex[:8])
    service: Literal["entra", "arm", "vault"] | None = None
    method: str | None = None
    path: str = ""  # regular expression, searched in the path, ignoring case
    principal: str | None = None
    when: Literal["before", "after", "later"] = "before"
    skip: int = 0
    times: int | None = 1  # None: until removed
    kind: Kind = "status"
    status: int = 500
    headers: dict[str, str] = {}
    body: Any = None
    seconds: float = 0.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.when == "later" and self.kind in ("delay", "truncated"):
            raise ValueError(f"a fault of kind {self.kind} gives the real answer, which is not there before the effect")
        return self


@dataclass(slots=True)
class _Active:
    fault: Fault
    matches: int = 0
    hits: int = 0
    lifted: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Faults:
    """The faults in force. A request is hit by the first that matches and is not used up."""

    _active: dict[str, _Active] = field(default_factory=dict)

    def add(self, fault: Fault) -> None:
        """Put a fault in force. Raises re.error for a bad path expression."""
        re.compile(fault.path)
        self._active[fault.id] = _Active(fault)

    def remove(self, identifier: str) -> None:
        """End a fault. Unknown ids are no error."""
        active = self._active.pop(identifier, None)
        if active is not None:
            active.lifted.set()

    def clear(self) -> None:
        """End all faults."""
        for identifier in list(self._active):
            self.remove(identifier)

    def hits(self) -> dict[str, int]:
        """Return how often each fault in force has hit."""
        return {identifier: active.hits for identifier, active in self._active.items()}

    @property
    def by_principal(self) -> bool:
        """Return whether any fault in force depends on the caller."""
        return any(active.fault.principal is not None for active in self._active.values())

    def lifted(self, identifier: str) -> asyncio.Event:
        """Return an event that is set when the fault ends; for an unknown fault it is set already."""
        active = self._active.get(identifier)
        if active is not None:
            return active.lifted
        gone = asyncio.Event()
        gone.set()
        return gone

    def take(self, service: str, method: str, path: str, principal: str | None) -> Fault | None:
        """Return the fault that hits this request, if any, and count the hit."""
        for active in self._active.values():
            fault = active.fault
            if not _matches(fault, service, method, path, principal):
                continue
            if fault.times is not None and active.hits >= fault.times:
                continue
            active.matches += 1
            if active.matches <= fault.skip:
                continue
            active.hits += 1
            return fault
        return None


def _matches(fault: Fault, service: str, method: str, path: str, principal: str | None) -> bool:
    return (
        fault.service in (None, service)
        and (fault.method is None or fault.method.upper() == method)
        and (fault.principal is None or fault.principal == principal)
        and re.search(fault.path, path, re.IGNORECASE) is not None
    )


# The possible troubles of one regeneration.
Trouble = Literal["throttled", "denied", "locked", "failed", "lost", "late", "gateway"]
_DENIED = (
    "The client 'sandbox' with object id 'sandbox' does not have authorization to perform action "
    "'Microsoft.Cache/redis/regenerateKey/action' over scope '{id}' or the scope is invalid. If access was recently "
    "granted, please refresh your credentials."
)
_LOCKED = (
    "The scope '{id}' cannot perform write operation because following scope(s) are locked: '{id}'. Please remove the "
    "lock and try again."
)
_GATEWAY = "The gateway did not receive a response from 'Microsoft.Cache' within the specified time period."
_ANSWERS: dict[Trouble, tuple[int, str, str]] = {
    "throttled": (429, "TooManyRequests", "The request is being throttled. Please try again later."),
    "denied": (403, "AuthorizationFailed", _DENIED),
    "locked": (409, "ScopeLocked", _LOCKED),
    "failed": (500, "InternalServerError", "An internal error occurred."),
    "gateway": (504, "GatewayTimeout", _GATEWAY),
}


def regeneration(cache_id: str, trouble: Trouble, *, seconds: float = 30.0, times: int | None = 1) -> Fault:
    """Return a fault of regenerateKey at one cache of either service, given by its ARM id.

    Nothing is regenerated: `throttled` is answered 429 with a Retry-After of `seconds`, `denied` 403 (no role),
    `locked` 409 (a ReadOnly lock), `failed` 500. The key is regenerated: by `lost` immediately, and the connection is
    cut before the answer; by `late` after `seconds` of the simulator's clock, without any answer. `gateway` is like
    `late`, with 504 immediately.
    """
    managed = "/redisenterprise/" in cache_id.lower()
    name = re.escape(cache_id.rpartition("/")[2])
    common: dict[str, Any] = {
        "service": "arm",
        "method": "POST",
        "path": f"/redisEnterprise/{name}/databases/[^/]+/regenerateKey$"
        if managed
        else f"/redis/{name}/regenerateKey$",
        "times": times,
    }
    if trouble == "lost":
        return Fault(when="after", kind="reset", **common)
    if trouble == "late":
        return Fault(when="later", kind="hang", seconds=seconds, **common)
    status, code, message = _ANSWERS[trouble]
    if managed:
        message = message.replace("Microsoft.Cache/redis/", "Microsoft.Cache/redisEnterprise/databases/")
    return Fault(
        status=status,
        body={"error": {"code": code, "message": message.replace("{id}", cache_id)}},
        headers={"Retry-After": str(round(seconds))} if trouble == "throttled" else {},
        when="later" if trouble == "gateway" else "before",
        seconds=seconds if trouble == "gateway" else 0.0,
        **common,
    )
