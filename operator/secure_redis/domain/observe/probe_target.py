"""Which endpoint of a cache is looked at, and when. Pure."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedFacts
from secure_redis.domain.observe.normalise import is_busy, is_dead, same_word
from secure_redis.domain.observe.redis import CacheFacts
from secure_redis.domain.observe.unknown import Unknown

SPREAD_SECONDS: Final = 300.0  # over which the looks are spread that a new process takes at known endpoints
TROUBLED_SECONDS: Final = 300.0  # until the next look where one found something wrong or could not see all; doubled
_WAITING: Final = frozenset({"creating", "deleting"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and its ports as ARM reported them. Equal for all resources of one cache.

    `plaintext_port`: what is asked in clear; Managed Redis has one port alone, so it is `port` itself there.
    """

    host: str
    port: int
    plaintext_port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def target(cache: CacheFacts | ManagedFacts) -> Endpoint | Unknown:
    """What may be connected to; Unknown: the cache does not serve, or Azure itself says that nothing can reach it.

    Managed Redis has one port, which speaks TLS or not: it is asked in clear too.
    """
    if isinstance(cache, ManagedFacts):
        return _managed_target(cache)
    state = cache.provisioning_state
    if is_dead(state) or (is_busy(state) and state.lower() in _WAITING):
        return Unknown(Reason.UNKNOWN, f"the cache does not serve (provisioningState {state}), so it is not probed")
    if cache.host_name is None or cache.tls_port is None or cache.plaintext_port is None:
        return Unknown(Reason.UNKNOWN, "Azure reports no host name or not both ports, so the endpoint is not probed")
    closed = same_word(cache.public_network_access, "Disabled")
    if closed and not cache.has_approved_private_endpoint and cache.subnet_id is None:
        return Unknown(
            Reason.NO_ROUTE, "public access is off and there is no approved private endpoint: nothing can reach it"
        )
    return Endpoint(cache.host_name.lower(), cache.tls_port, cache.plaintext_port)


def _managed_target(cluster: ManagedFacts) -> Endpoint | Unknown:
    database = cluster.database
    if isinstance(database, Unknown):
        return Unknown(Reason.UNKNOWN, f"the database, and with it the port, could not be read: {database.message}")
    if not isinstance(database, ManagedDatabase):
        return Unknown(Reason.UNKNOWN, "the cluster has no database, so there is nothing to probe")
    for state in (cluster.provisioning_state, database.provisioning_state):
        if is_dead(state) or state.strip().lower() in _WAITING:
            return Unknown(Reason.UNKNOWN, f"the cluster does not serve (provisioningState {state}): it is not probed")
    if cluster.host_name is None or database.port is None:
        return Unknown(Reason.UNKNOWN, "Azure reports no host name or no port, so the endpoint is not probed")
    if same_word(cluster.public_network_access, "Disabled") and not cluster.has_approved_private_endpoint:
        return Unknown(
            Reason.NO_ROUTE, "public access is off and there is no approved private endpoint: nothing can reach it"
        )
    return Endpoint(cluster.host_name.lower(), database.port, database.port)


def settings_of(cache: CacheFacts | ManagedFacts) -> tuple[object, ...]:
    """What bears on how the endpoint behaves: when it changes, an earlier look says nothing any more."""
    if isinstance(cache, ManagedFacts):
        database = cache.database if isinstance(cache.database, ManagedDatabase) else None
        return (
            cache.provisioning_state,
            cache.minimum_tls_version,
            database and (database.provisioning_state, database.client_protocol),
            cache.public_network_access,
            cache.has_approved_private_endpoint,
        )
    return (
        cache.provisioning_state,
        cache.minimum_tls_version,
        cache.non_tls_port_enabled,
        cache.public_network_access,
        cache.subnet_id,
        cache.has_approved_private_endpoint,
    )


def first_delay(endpoint: Endpoint, interval: float, *, known: bool) -> float:
    """Seconds until the first look of a process: at once, unless an earlier process looked already (`known`)."""
    return min(interval, SPREAD_SECONDS) * _fraction(str(endpoint)) if known else 0.0


def next_delay(endpoint: Endpoint, interval: float, looks: int, troubled: int) -> float:
    """Seconds until the next look, after `looks` of them of which the last `troubled` were not all well.

    A fifth shorter or longer, always the same for one endpoint and number: what begins together drifts apart.
    """
    base = interval if troubled == 0 else min(interval, TROUBLED_SECONDS * 2.0 ** min(troubled - 1, 20))
    return base * (0.8 + 0.4 * _fraction(f"{endpoint}#{looks}"))


def _fraction(text: str) -> float:
    """Spread evenly over 0 to 1, the same in every process."""
    return int.from_bytes(sha256(text.encode()).digest()[:8]) / 2.0**64
