"""Find the listed workloads whose settings reach the cache without TLS. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.plain_clients import plain_clients
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
    """List the names that lead to a cache: the one that Azure reports and the one that a private endpoint adds."""
    first, _, rest = host.lower().partition(".")
    return frozenset({host.lower(), f"{first}.privatelink.{rest}"})


def names_a_host(variable: str) -> bool:
    """Whether a variable of that name contains a host."""
    return variable.lower().endswith(_HOST_NAMES)


def by_variable(values: Mapping[str, ClearText]) -> dict[str, tuple[str, ...]]:
    """Find by variable the hosts that it reaches without TLS, alone or together with other variables.

    Where one names the host and another the port (REDIS_HOST and REDIS_PORT=6379, or REDIS_SSL=false), the result names
    the other one.
    """
    hosts = {name.lower(): one.host for name, one in values.items() if one.host is not None}
    found: dict[str, tuple[str, ...]] = {}
    for name, one in values.items():
        reached = {*one.hosts, *_together(name, one, hosts)}
        if reached:
            found[name] = tuple(sorted(reached))
    return found


def _together(name: str, value: ClearText, hosts: Mapping[str, str]) -> Iterator[str]:
    part = _PART.search(name) if value.plain_port or value.off else None
    if part is None or not (value.plain_port if "PORT" in part[0].upper() else value.off):
        return
    start = name[: part.start()].lower()
    for host in _HOST_NAMES:
        if start + host in hosts:
            yield hosts[start + host]


def config_maps(resource: SecureRedisCache, workloads: Iterable[WorkloadFacts]) -> tuple[str, ...]:
    """List the ConfigMaps that consenting listed workloads take settings from. The others' owners have not agreed."""
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
    """Find the settings of listed workloads that reach `host` (as Azure reports it) without TLS, as far as read."""
    names = names_of(host)
    return tuple(
        PlaintextUse(facts.kind, facts.name, container.name, variable, source)
        for facts in _listed(resource, workloads)
        for container in facts.containers
        for source, variable in _uses(resource, container, names, config if consents(resource, facts) else {})
    )


def unread(resource: SecureRedisCache, workloads: Iterable[WorkloadFacts], config: Config) -> Unknown | None:
    """Explain why not all settings of the listed workloads could be read; None: all were."""
    refused: Unknown | None = None
    for facts in _listed(resource, workloads):
        uses = {use.config_map for container in facts.containers for use in container.config}
        if uses and not consents(resource, facts):
            why = f"{facts.kind} {facts.name!r} takes settings from them and does not consent"
            refused = refused or Unknown(Reason.TARGET_NOT_CONSENTING, why)
        for name in sorted(uses) if consents(resource, facts) else ():
            found = config.get(name)
            if isinstance(found, Unknown):
                return found
    return refused


def _listed(resource: SecureRedisCache, workloads: Iterable[WorkloadFacts]) -> Iterator[WorkloadFacts]:
    for facts in workloads:
        if not facts.deleting and any(matches(entry, facts) for entry in resource.spec.workloads):
            yield facts


def _uses(
    resource: SecureRedisCache, container: ContainerFacts, names: frozenset[str], config: Config
) -> Iterator[tuple[str, str]]:
    """Find source and variable (or file) of each setting by which a container reaches one of `names` without TLS."""
    values, sources = _variables(container, config)
    found = [
        *((source, file, hosts) for source, file, hosts in _files(container, config)),
        *((sources[variable], variable, hosts) for variable, hosts in by_variable(values).items()),
    ]
    yield from ((source, variable) for source, variable, hosts in found if not names.isdisjoint(hosts))
    yield from ((source, variable) for variable, source in plain_clients(resource, container, values, names))


def _files(container: ContainerFacts, config: Config) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Find source, name and hosts of each mounted file that reaches a host without TLS."""
    for use in container.config:
        found = config.get(use.config_map)
        if use.mounted and use.variable is None and isinstance(found, ConfigFacts):
            kept = {key: value for key, value in found.values.items() if use.key in (None, key)}
            for key, hosts in by_variable(kept).items():
                yield f"a file of ConfigMap {use.config_map!r}", key, hosts


def _variables(container: ContainerFacts, config: Config) -> tuple[dict[str, ClearText], dict[str, str]]:
    """Return the variables of a container, with what each shows, and with its source."""
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
        elif not use.mounted:  # all keys as variables; env has precedence, and of two ConfigMaps the later one
            for key, value in found.values.items():
                if use.prefix + key not in own:
                    values[use.prefix + key], sources[use.prefix + key] = value, source
    for env in container.env:
        if env.clear is not None:
            values[env.name], sources[env.name] = env.clear, "env"
    return values, sources
