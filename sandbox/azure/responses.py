"""Answers of the handlers, and the refusals of ARM and Key Vault in their formats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response before it is written: `body` is JSON, or None for an empty one."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A call refused in Azure's words. `target=True` adds the null target that the cache service's own errors carry."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        inner: str | None = None,
        target: bool = False,
        details: Json | None = None,
    ) -> None:
        """`inner` is the code of an innererror; `details` is merged into the error object."""
        super().__init__(f"{status} {code}")
        error: Json = {"code": code, "message": message}
        if target:
            error["target"] = None
        if inner is not None:
            error["innererror"] = {"code": inner}
        if details:
            error.update(details)
        self.answer = Answer(status, {"error": error}, dict(headers or {}))


def cache_refusal(status: int, code: str, message: str, request_id: str | None = None) -> Refusal:
    """Return a refusal by the cache service itself; most of its messages end with the request id."""
    text = f"{message}\r\nRequestID={request_id}" if request_id else message
    return Refusal(status, code, text, target=True)
