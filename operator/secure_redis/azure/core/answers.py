"""Typed access to the JSON of Azure's answers."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from secure_redis.domain.observe.cache import PrivateEndpoint
from secure_redis.domain.observe.keys import ListedKeys
from secure_redis.telemetry import live_values


class Malformed(ValueError):
    """An answer of status 200 has another content than the request expects (a proxy's page, a truncated body)."""


def private_endpoints(properties: Mapping[str, Any]) -> Iterable[PrivateEndpoint]:
    """Yield the private endpoint connections of a resource's properties."""
    for connection in elements(properties.get("privateEndpointConnections")):
        state = mapping(mapping(mapping(connection).get("properties")).get("privateLinkServiceConnectionState"))
        yield PrivateEndpoint(text(mapping(connection).get("name")) or "", text(state.get("status")) or "Unknown")


def date(value: object) -> datetime | None:
    """Read a time such as 2026-01-31T08:15:00.1234567Z; None for anything else, and for the year 1."""
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
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def elements(value: object) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """Return the value if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def number(value: object) -> int | None:
    """Return the value if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text_number(value: object) -> int | None:
    """Read a whole number that may be written as a text, as in redisConfiguration."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    return number(value)


def port(value: object) -> int | None:
    """Return the value if it is the number of a TCP port."""
    found = number(value)
    return found if found is not None and 0 < found < 65536 else None


def flag(value: object) -> bool | None:
    """Return the value if it is true or false."""
    return value if isinstance(value, bool) else None


def text_flag(value: object) -> bool | None:
    """Read true or false that may be written as a text, as in redisConfiguration."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return flag(value)


def listed_keys(primary: object, secondary: object) -> ListedKeys:
    """Wrap both keys, and let no text of the operator contain them.

    Raises:
        Malformed: one is missing.

    """
    first, second = text(primary), text(secondary)
    if first is None or second is None:
        raise Malformed("the answer does not hold both keys")
    for key in (first, second):
        live_values.remember(key)
    return ListedKeys(SecretStr(first), SecretStr(second))


def principals(identity: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Read the object ids of the user-assigned identities in `identity`, by their ARM ids."""
    for one, named in sorted(mapping(identity.get("userAssignedIdentities")).items()):
        principal = text(mapping(named).get("principalId"))
        if principal is not None:
            yield str(one), principal
