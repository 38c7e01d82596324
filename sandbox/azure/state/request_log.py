"""The log of requests and of their effects. Bodies appear as key names only, never with a value."""

import itertools
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

_HARMLESS_POSTS = re.compile(
    r"/(listkeys|listskusforscaling|checknameavailability)/?$|/oauth2/(v2\.0/)?token/?$|/openid/.*token$", re.IGNORECASE
)
_WRITES = frozenset({"PUT", "PATCH", "DELETE"})
_OPEN_QUERY = frozenset({"api-version", "maxresults"})


class LoggedRequest(BaseModel):
    """One request. `principal` is an object id; `body_keys` are dotted names. `is_write` as issue 3 defines a write."""

    model_config = ConfigDict(frozen=True)

    number: int
    time: float
    service: str
    method: str
    host: str
    path: str
    query: dict[str, str]
    status: int  # 0: no answer was given
    principal: str | None
    correlation_id: str
    client_request_id: str | None
    action: str | None
    authorized: tuple[str, ...]  # the actions that a role of the caller allowed on the way
    body_keys: tuple[str, ...]
    fault: str | None
    is_write: bool


class Effect(BaseModel):
    """Something that a write changed: `kind` such as cache.create, `target` an ARM id or secret URI, `fields` names."""

    model_config = ConfigDict(frozen=True)

    number: int
    time: float
    kind: str
    target: str
    principal: str | None
    fields: tuple[str, ...] = ()


def is_write(method: str, path: str) -> bool:
    """Return whether it writes: a PUT, PATCH, DELETE, or a POST other than a list, checkNameAvailability or token."""
    return method in _WRITES or (method == "POST" and not _HARMLESS_POSTS.search(path))


def body_keys(body: Any, prefix: str = "", depth: int = 4) -> tuple[str, ...]:
    """Return the dotted key names of a JSON body, without any value."""
    if not isinstance(body, dict) or depth == 0:
        return ()
    names: list[str] = []
    for key, value in body.items():
        name = f"{prefix}{key}"
        names.append(name)
        names.extend(body_keys(value, f"{name}.", depth - 1))
    return tuple(names)


def shown_query(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a query without values that could be a signature or a token."""
    return {name: value if name.lower() in _OPEN_QUERY else "…" for name, value in query}


class RequestLog:
    """Requests and effects, oldest first."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.requests: list[LoggedRequest] = []
        self.effects: list[Effect] = []
        self.by_others: list[tuple[float, str, str]] = []  # time, target and operation of changes in the portal

    def number(self) -> int:
        """Return the next number. Requests and effects share the sequence, so their order is known."""
        return next(self._numbers)

    def effect(self, time: float, kind: str, target: str, principal: str | None, fields: Iterable[str] = ()) -> None:
        """Record a change."""
        self.effects.append(
            Effect(number=self.number(), time=time, kind=kind, target=target, principal=principal, fields=tuple(fields))
        )

    def clear(self) -> None:
        """Delete the log."""
        self.requests.clear()
        self.effects.clear()
        self.by_others.clear()
