"""Build the content of the published Secret. No other module does, and this one cannot write a plaintext connection.

Formats: docs/internals/kubernetes-facts.md#service-binding and docs/internals/kubernetes-facts.md#redis-clients.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pydantic import SecretBytes, SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.refused_names import refuses_metadata
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.connection.forms import (
    ALWAYS,
    CA_TEMPLATE,
    DEFAULT_USER,
    ENTRIES,
    FORMATS,
    POLICY_TEMPLATE,
    REPEATABLE,
    RESERVED,
    SERVER_NAME_TEMPLATE,
)
from secure_redis.domain.assess.connection.kept import entries_annotation
from secure_redis.domain.assess.connection.templates import accepted, render
from secure_redis.domain.assess.key_value import malformed
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import Slot, VaultSecretFacts
from secure_redis.domain.observe.secret import SecretFacts

# Redis's registered port without TLS. Azure uses it for nothing else, so no Secret contains it.
PLAINTEXT_PORT: Final = 6379

_LONGEST_HOST: Final = 253
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+", re.I | re.A)
_DATA_KEY = re.compile(r"(?!\.{1,2}$)(?!\.\.)[A-Za-z0-9_.-]{1,253}")


@dataclass(frozen=True, slots=True)
class ConnectionData:
    """The declared content of the Secret: `data` as bytes before base64, and its labels and annotations."""

    data: Mapping[str, SecretBytes]
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def build(
    resource: SecureRedisCache,
    cache: Cache,
    password: SecretStr,
    *,
    vault: VaultSecretFacts,
    slot: Slot | None,
    ca: str | None = None,
    in_use: Mapping[str, str] = MappingProxyType({}),
    records: Mapping[str, str] = MappingProxyType({}),
) -> ConnectionData | Explanation:
    """Build the Secret of a resource. Host and port come from the observation; nothing is derived.

    `vault` and `slot` appear in annotations only. `ca`: PEM that clients need, None where public roots do.
    `in_use`: entries with their templates that are published although the resource no longer declares them.
    `records`: the annotations of `rotation_record.secret_annotations`.
    The result is an explanation, which does not show the value, where the facts allow no TLS connection or where a
    client form cannot carry the key.
    """
    endpoint = _endpoint(cache)
    if isinstance(endpoint, Explanation):
        return endpoint
    host, port = endpoint
    fault = malformed(password)
    if fault is not None:
        return Explanation(
            Reason.KEY_MALFORMED, f"the access key {fault}; store the key exactly as listKeys answers it"
        )
    declared = _declared(resource)
    own = {name: template for name, template in in_use.items() if name not in RESERVED} | declared
    fields = {
        "host": host,
        "port": str(port),
        "username": DEFAULT_USER,
        "password": password.get_secret_value(),
        "database": str(resource.spec.connection.database),
    }
    # Entries that a cache may lack.
    optional = {CA_TEMPLATE: ca, POLICY_TEMPLATE: cache.cluster_policy, SERVER_NAME_TEMPLATE: cache.server_name}
    texts = {
        name: optional[template] if template in optional else render(template, fields)
        for name, template in {**in_use, **_standard(resource), **own}.items()
    }
    return ConnectionData(
        data={name: SecretBytes(text.encode()) for name, text in texts.items() if text is not None},
        labels={**unreserved(resource.spec.connection.labels), **_own_labels(resource)},
        annotations={
            **unreserved(resource.spec.connection.annotations),
            **_own_annotations(resource, vault, slot),
            **entries_annotation(own),
            **records,
        },
    )


def differs(published: SecretFacts, declared: ConnectionData) -> tuple[str, ...]:
    """List what is not as declared, such as `data.password`, `labels[team]`; never a value. Empty: nothing differs.

    A key in `data` that is not declared counts, and so does a label or annotation of the operator's own that is no
    longer declared. Labels and annotations of others do not. Values of `data` are compared in constant time.
    """
    found: list[str] = []
    if published.type != names.SECRET_TYPE:
        found.append("type")
    for name in sorted({*published.data, *declared.data}):
        there, here = published.data.get(name), declared.data.get(name)
        if there is None or here is None or not hmac.compare_digest(there.get_secret_value(), here.get_secret_value()):
            found.append(f"data.{name}")
    found += [f"labels[{name}]" for name in _unlike(published.labels, declared.labels, published.own_labels)]
    found += [
        f"annotations[{name}]"
        for name in _unlike(published.annotations, declared.annotations, published.own_annotations)
    ]
    return tuple(found)


def unreserved(given: Mapping[str, str]) -> dict[str, str]:
    """Leave out the names by which a tool acts on the Secret (`api/refused_names.py`; the schema refuses them too)."""
    return {name: value for name, value in given.items() if not refuses_metadata(name.strip())}


def _endpoint(cache: Cache) -> tuple[str, int] | Explanation:
    host, port = cache.host_name, cache.tls_port
    if host is None or port is None:
        what = "host name" if host is None else "TLS port"
        if cache.busy_state is not None or cache.never_served:
            state = cache.busy_state or cache.provisioning_state
            return Explanation(Reason.PROGRESSING, f"Azure reports no {what} yet ({state})")
        return Explanation(
            Reason.AZURE_ERROR, f"Azure reports no {what} for the cache, so no connection can be published"
        )
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        return Explanation(Reason.AZURE_ERROR, "Azure reports a host name that is none, so no connection is published")
    if cache.ONE_PORT and cache.plaintext_open is not False:
        return Explanation(
            Reason.PLAINTEXT_PROTOCOL,
            "the one port of the cache does not speak TLS (clientProtocol is not Encrypted), so no connection is "
            "published",
        )
    plaintext = PLAINTEXT_PORT if cache.ONE_PORT else cache.plaintext_port
    if not 0 < port < 65536 or port in {plaintext, PLAINTEXT_PORT}:
        return Explanation(
            Reason.AZURE_ERROR, f"Azure reports {port} as TLS port, which is not one: nothing is published"
        )
    return host.lower(), port


def _standard(resource: SecureRedisCache) -> dict[str, str]:
    """Return the operator's own entries that the resource publishes, with their templates."""
    spec = resource.spec
    by_format = (name for chosen in spec.connection.formats for name in FORMATS[chosen])
    by_env = (one.key for entry in spec.workloads for one in entry.env)
    return {name: ENTRIES[name] for name in (*ALWAYS, *by_format, *by_env) if name in ENTRIES}


def _declared(resource: SecureRedisCache) -> dict[str, str]:
    """Return the entries that the resource declares itself, with their templates. The schema refuses the others too."""
    connection = resource.spec.connection
    repeated = {name: ENTRIES[form] for name, form in connection.keys.items() if form in REPEATABLE}
    composed = {name: template for name, template in connection.template.items() if accepted(template)}
    return {
        name: template
        for name, template in {**composed, **repeated}.items()
        if name not in RESERVED and _DATA_KEY.fullmatch(name)
    }


def _own_labels(resource: SecureRedisCache) -> dict[str, str]:
    return {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: resource.key.name}


def _own_annotations(resource: SecureRedisCache, vault: VaultSecretFacts, slot: Slot | None) -> dict[str, str]:
    own = {
        names.SECRET_RESOURCE: resource.key.name,
        names.SECRET_UID: resource.uid,
        names.SECRET_SOURCE: f"{vault.vault.rstrip('/')}/secrets/{vault.name}",
        names.SECRET_VERSION: vault.version,
    }
    if slot is not None:
        own[names.SECRET_SLOT] = str(slot)
    if vault.expires is not None:
        own[names.SECRET_NOT_AFTER] = rfc3339(vault.expires)
    return own


def _unlike(there: Mapping[str, str], declared: Mapping[str, str], own: frozenset[str]) -> Iterable[str]:
    owned = {name for name in there if name in own or name.startswith(f"{names.GROUP}/")}
    return (name for name in sorted({*declared, *owned}) if there.get(name) != declared.get(name))
