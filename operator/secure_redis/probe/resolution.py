"""Resolve a host with the cluster's DNS (the operator's own resolver)."""

import asyncio
import socket
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.endpoint import ResolvedAddress, scope_of
from secure_redis.domain.observe.unknown import Unknown

_MOST: Final = 64  # addresses kept of one answer
_NO_SUCH_NAME: Final = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


async def resolve(host: str, seconds: float) -> tuple[ResolvedAddress, ...] | Unknown:
    """Return all addresses of `host`, in the resolver's order; an address is its own."""
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except TimeoutError:
        return Unknown(Reason.NO_ROUTE, f"the name {host} could not be resolved in time")
    except socket.gaierror as error:
        if error.errno in _NO_SUCH_NAME:
            return Unknown(Reason.NO_ROUTE, f"the name {host} does not resolve")
        return Unknown(Reason.NO_ROUTE, f"the name {host} could not be resolved: the resolver gave no answer")
    except (OSError, UnicodeError):
        return Unknown(Reason.NO_ROUTE, f"the name {host} could not be resolved")
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    if not addresses:
        return Unknown(Reason.NO_ROUTE, f"the name {host} has no address")
    return tuple(ResolvedAddress(address, scope_of(address)) for address in list(addresses)[:_MOST])
