"""Typed access to the JSON of Azure's answers."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from secure_redis.domain.observe.cache import PrivateEndpoint


class Malformed(ValueError):
    """An answer of status 200 that is not what was asked for (a proxy's page, a truncated or foreign body)."""


def bypass(value: object) -> tuple[str, ...] | None:
    """The services that pass the firewall: "Logging, AzureServices" or "None"."""
    if not isinstance(value, str):
        return None
    words = [word.strip() for word in value.split(",")]
    return tuple(word for word in words if word and word.lower() != "none")


def ip_rules(value: object) -> Iterable[str]:
    """Yield the addresses of a firewall's IP rules."""
    for rule in elements(value):
        address = text(mapping(rule).get("value"))
        if address is not None:
            yield address


def private_endpoints(properties: Mapping[str, Any]) -> Iterable[PrivateEndpoint]:
    """Yield the private endpoint connections of a resource's properties."""
    for connection in elements(properties.get("privateEndpointConnections")):
        state = mapping(mapping(mapping(connection).get("properties")).get("privateLinkServiceConnectionState"))
        yield PrivateEndpoint(text(mapping(connection).get("name")) or "", text(state.get("status")) or "Unknown")


def date(value: object) -> datetime | None:
    """A time such as 2026-01-31T08:15:00.1234567Z; nonsense says nothing, and neither does the year 1."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    if found.year < 1970:  # .NET's zero, for "never"
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def unix(value: object) -> datetime | None:
    """Read a time given in seconds since 1970; None where it is not one."""
    seconds = number(value)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: object) -> str | None:
    """The value if it is a text that says something."""
    return value if isinstance(value, str) and value else None


def number(value: object) -> int | None:
    """The value if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(value: object) -> bool | None:
    """The value if it is true or false."""
    return value if isinstance(value, bool) else None


def elements(value: object) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
