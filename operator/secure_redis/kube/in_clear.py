"""Which hosts the environment of a container says to reach without TLS. Values stay here: they may hold a key."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from secure_redis.domain.connection import PLAINTEXT_PORT

_HOST: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+"
_URI = re.compile(rf"(?<![a-z])redis://(?:[^@/\s]*@)?({_HOST})", re.IGNORECASE)
_AT_PORT = re.compile(rf"(?<![a-z0-9.-])({_HOST}):{PLAINTEXT_PORT}(?!\d)", re.IGNORECASE)
_NO_SSL = re.compile(r"\b(?:use_?ssl|ssl|tls)\s*[=:]\s*(?:false|0|no|off)\b", re.IGNORECASE)
_WITH_PORT = re.compile(rf"(?<![a-z0-9.-])({_HOST})(?=[:,;\s]|$)", re.IGNORECASE)
_BARE = re.compile(_HOST, re.IGNORECASE)
_PART = re.compile(r"(?:PORT|USE_?SSL|SSL|USE_?TLS|TLS)(?:_ENABLED)?$", re.IGNORECASE)
_OFF: Final = frozenset({"false", "0", "no", "off"})
_HOST_NAMES: Final = ("HOST", "HOSTNAME", "SERVER", "ADDRESS", "ENDPOINT")
_LONGEST: Final = 4096  # characters of a value that are searched; a connection string has a few hundred


def hosts_in_clear(env: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """By the name of the env entry (as the API has them): hosts, in lower case, that it says to reach without TLS.

    Where one entry names the host and another the port (REDIS_HOST and REDIS_PORT=6379, or REDIS_SSL=false), it is the
    other that is told.
    """
    literals = {
        str(one["name"]): str(one["value"])[:_LONGEST].strip() for one in env if isinstance(one.get("value"), str)
    }
    found: dict[str, tuple[str, ...]] = {}
    for name, value in literals.items():
        hosts = [*_URI.findall(value), *_AT_PORT.findall(value)]
        if _NO_SSL.search(value):
            hosts += _WITH_PORT.findall(value)
        hosts += _beside(name, value, literals)
        if hosts:
            found[name] = tuple(sorted({host.lower() for host in hosts}))
    return found


def _beside(name: str, value: str, literals: Mapping[str, str]) -> list[str]:
    part = _PART.search(name)
    if part is None:
        return []
    plain = value == str(PLAINTEXT_PORT) if "PORT" in part[0].upper() else value.lower() in _OFF
    if not plain:
        return []
    start = name[: part.start()].lower()
    wanted = {f"{start}{host.lower()}" for host in _HOST_NAMES}
    return [text for other, text in literals.items() if other.lower() in wanted and _BARE.fullmatch(text)]
