"""Choose which endpoint of a cache is probed, and when. Pure."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.normalise import is_dead
from secure_redis.domain.observe.unknown import Unknown

SPREAD_SECONDS: Final = 300.0  # over which a new process spreads its probes of known endpoints
TROUBLED_SECONDS: Final = 300.0  # until the next probe after a faulty or incomplete one; doubled each time
_WAITING: Final = frozenset({"creating", "deleting"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and its ports as ARM reported them. Equal for all resources of one cache.

    `plaintext_port`: the port that is probed without TLS; Managed Redis has only one port, so it is `port` there.
    """

    host: str
    port: int
    plaintext_port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def target(cache: Cache) -> Endpoint | Unknown:
    """Choose the endpoint to probe; Unknown: by Azure's report it does not serve or nothing can reach it."""
    if cache.port_unknown is not None:
        return Unknown(Reason.UNKNOWN, f"{cache.port_unknown}: the endpoint is not probed")
    for state in cache.states:
        if is_dead(state) or state.strip().lower() in _WAITING:
            return Unknown(Reason.UNKNOWN, f"the cache does not serve (provisioningState {state}), so it is not probed")
    if cache.host_name is None or cache.tls_port is None or cache.plaintext_port is None:
        return Unknown(Reason.UNKNOWN, "Azure reports no host name or not every port, so the endpoint is not probed")
    if cache.unreachable:
        return Unknown(
            Reason.NO_ROUTE, "public access is off and there is no approved private endpoint: nothing can reach it"
        )
    return Endpoint(cache.host_name.lower(), cache.tls_port, cache.plaintext_port)


def settings_of(cache: Cache) -> tuple[object, ...]:
    """List the settings that the endpoint's behaviour depends on: when one changes, an earlier probe proves nothing."""
    return (
        cache.states,
        cache.minimum_tls_version,
        cache.plaintext_open,
        cache.public_network_access,
        cache.subnet_id,
        cache.has_approved_private_endpoint,
    )


def first_delay(endpoint: Endpoint, interval: float, *, known: bool) -> float:
    """Return the seconds until the first probe: 0, unless an earlier process probed already (`known`)."""
    return min(interval, SPREAD_SECONDS) * _fraction(str(endpoint)) if known else 0.0


def next_delay(endpoint: Endpoint, interval: float, probes: int, troubled: int) -> float:
    """Return the seconds until the next probe, after `probes` of which the last `troubled` were faulty or incomplete.

    The time is up to a fifth shorter or longer, always the same for one endpoint and number, so that probes that begin
    together spread out.
    """
    base = interval if troubled == 0 else min(interval, TROUBLED_SECONDS * 2.0 ** min(troubled - 1, 20))
    return base * (0.8 + 0.4 * _fraction(f"{endpoint}#{probes}"))


def _fraction(text: str) -> float:
    """Spread evenly over 0 to 1, the same in every process."""
    return int.from_bytes(sha256(text.encode()).digest()[:8]) / 2.0**64
