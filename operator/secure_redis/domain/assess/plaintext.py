"""Which listed workloads are set to reach the cache without TLS. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.usage import (
    NOTHING,
    ClearText,
    ConfigFacts,
    PlaintextUse,
)
from secure_redis.domain.observe.workload_match import consents, matches
from secure_redis.domain.observe.workloads import ContainerFacts, WorkloadFacts

Config = Mapping[str, ConfigFacts | None | Unknown]  # ConfigMaps by name; None: there is none of that name

_PART = re.compile(r"(?:PORT|USE_?SSL|SSL|USE_?TLS|TLS)(?:[_.]ENABLED)?$", re.IGNORECASE)
_HOST_NAMES: Final = ("host", "hostname", "server", "address", "endpoint")


def names_of(host: str) -> frozenset[str]:
    """The names that lead to a cache: the one that Azure reports and the one that a private endpoint has besides."""
    first, _, rest = host.lower().partition(".")
    return frozenset({host.lower(), f"{first}.privatelink.{rest}"})


def names_a_host(variable: str) -> bool:
    """Whether a variable of that name holds a host."""
    return variable.lower().endswith(_HOST_NAMES)


def by_variable(values: Mapping[str, ClearText]) -> dict[str, tuple[str, ...]]:
    """By variable: the hosts that it says to reach without TLS, alone or with its neighbours.

    Where one names the host and another the port (REDIS_HOST and REDIS_PORT=6379, or REDIS_SSL=false), it is the other
    that is told.
    """
    hosts = {name.lower(): one.host for name, one in values.items() if one.host is not None}
    found: dict[str, tuple[str, ...]] = {}
    for name, one in values.items():
        told = {*one.hosts, *_beside(name, one, hosts)}
        if told:
            found[name] = tuple(sorted(told))
    return found


def _beside(name: str, value: ClearText, hosts: Mapping[str, str]) -> Iterator[str]:
    part = _PART.search(name) if value.plain_port or value.off else None
    if part is None or not (value.plain_port if "PORT" in part[0].upper() else value.off):
        return
    start = name[: part.start()].lower()
    for host in _HOST_NAMES:
        if start + host in hosts:
            yield hosts[start + host]


def config_maps(resource: SecureRedisCache, workloads: Iterable[WorkloadFacts]) -> tuple[str, ...]:
    """The ConfigMaps that listed workloads take settings from; of those that consent only: their owners agreed."""
    return tuple(
        sorted(
            {
                use.config_map
                for facts in _listed(resource, workloads)
                if consents(resource, facts)
                for container in facts.containers
                for use in container.config
            }
        )
    )


def plaintext_uses(
    resource: SecureRedisCache, workloads: Iterable[WorkloadFacts], host: str, config: Config
) -> tuple[PlaintextUse, ...]:
    """Settings of the listed workloads that name `host` (as Azure reports it) in clear, as far as they were read."""
    names = names_of(host)
    return tuple(
        PlaintextUse(facts.kind, facts.name, container.name, variable, source)
        for facts in _listed(resource, workloads)
        for container in facts.containers
        for source, variable, hosts in _told(container, config if consents(resource, facts) else {})
        if not names.isdisjoint(hosts)
    )


def unseen(resource: SecureRedisCache, workloads: Iterable[WorkloadFacts], config: Config) -> Unknown | None:
    """Why not all settings of the listed workloads could be seen."""
    blind: Unknown | None = None
    for facts in _listed(resource, workloads):
        uses = {use.config_map for container in facts.containers for use in container.config}
        if uses and not consents(resource, facts):
            why = f"{facts.kind} {facts.name!r} takes settings from them and does not consent"
            blind = blind or Unknown(Reason.TARGET_NOT_CONSENTING, why)
        for name in sorted(uses) if consents(resource, facts) else ():
            found = config.get(name)
            if isinstance(found, Unknown):
                return found
    return blind


def _listed(resource: SecureRedisCache, workloads: Iterable[WorkloadFacts]) -> Iterator[WorkloadFacts]:
    for facts in workloads:
        if not facts.deleting and any(matches(entry, facts) for entry in resource.spec.workloads):
            yield facts


def _told(container: ContainerFacts, config: Config) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Source, variable (or file) and hosts of everything that names a host in clear."""
    values: dict[str, ClearText] = {}
    sources: dict[str, str] = {}
    own = {env.name for env in container.env}
    for use in container.config:
        found = config.get(use.config_map)
        if not isinstance(found, ConfigFacts):
            continue
        source = f"ConfigMap {use.config_map!r}"
        if use.variable is not None:
            values[use.variable], sources[use.variable] = found.values.get(use.key or "", NOTHING), source
        elif use.mounted:
            kept = {key: value for key, value in found.values.items() if use.key in (None, key)}
            for key, hosts in by_variable(kept).items():
                yield f"a file of {source}", key, hosts
        else:  # all of it as variables; what env sets goes before, and of two ConfigMaps the later
            for key, value in found.values.items():
                if use.prefix + key not in own:
                    values[use.prefix + key], sources[use.prefix + key] = value, source
    for env in container.env:
        if env.clear is not None:
            values[env.name], sources[env.name] = env.clear, "env"
    for variable, hosts in by_variable(values).items():
        yield sources[variable], variable, hosts
