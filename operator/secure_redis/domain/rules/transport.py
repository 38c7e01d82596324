"""Rules on encryption in transit."""

import re

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.connection import PLAINTEXT_PORT
from secure_redis.domain.normalise import tls_version
from secure_redis.domain.observation import CacheFacts, NotRead, Observation, SecretFacts, Unknown
from secure_redis.domain.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    Rule,
    Severity,
    Verdict,
    fail,
    on_cache,
    unknown,
    unread,
)

LOWEST_TLS = (1, 2)
_SHORTEST_KEY = 32  # bytes; Azure's have 44 and more

_SCHEME = re.compile(rb"(?<![a-z])redis://", re.IGNORECASE)
_NO_SSL = re.compile(rb"\b(use_?ssl|ssl|tls)\s*[=:]\s*(false|0|no|off)\b", re.IGNORECASE)
_PORT = re.compile(rb"(:|^)%d(\D|$)" % PLAINTEXT_PORT)


def _non_tls_port(cache: CacheFacts) -> Verdict:
    if cache.non_tls_port_enabled is None:
        return unknown("Azure did not say whether the non-TLS port is open")
    return fail("the non-TLS port is open: keys and data can travel in clear") if cache.non_tls_port_enabled else PASS


def _minimum_tls(cache: CacheFacts) -> Verdict:
    if cache.minimum_tls_version is None:
        return unknown("no minimum TLS version is set on the cache; set minimumTlsVersion to 1.2 explicitly")
    version = tls_version(cache.minimum_tls_version)
    if version is None:
        return unknown("Azure reports a minimum TLS version that is no version")
    return PASS if version >= LOWEST_TLS else fail(f"the cache accepts TLS {version[0]}.{version[1]}")


def _published(resource: SecureRedisCache, seen: Observation) -> Verdict:
    secret = seen.secret
    if resource.spec.authentication is None and not isinstance(secret, SecretFacts):
        return NOT_APPLICABLE
    if isinstance(secret, Unknown | NotRead):
        return unread("the published Secret", secret)
    if secret is None:
        return PASS  # none holds none; and the result stays when what only `connection` can build is published
    if secret.owner_uid != resource.uid:
        return NOT_APPLICABLE
    stored = secret.data.get("password")
    password = stored.get_secret_value() if stored is not None else b""
    plain = sorted(
        name
        for name, value in secret.data.items()
        if name != "password" and _plaintext(name, _without(password, value.get_secret_value()))
    )
    if plain:
        return fail(f"the Secret {secret.name!r} holds a plaintext connection in {', '.join(plain)}")
    return PASS


def _without(password: bytes, value: bytes) -> bytes:
    """A key may hold any text, so it is not searched. A short one is no key and could hide what is looked for."""
    return value.replace(password, b"") if len(password) >= _SHORTEST_KEY else value


def _plaintext(name: str, value: bytes) -> bool:
    if name == "ssl":
        return value.strip().lower() != b"true"
    if name == "port":
        return value.strip() == b"%d" % PLAINTEXT_PORT
    return bool(_SCHEME.search(value) or _NO_SSL.search(value) or _PORT.search(value))


RULES = (
    Rule(
        "T1",
        "The non-TLS port is off",
        Severity.CRITICAL,
        on_cache(_non_tls_port),
        "set enableNonSslPort to false (clients on port 6379 must move to the TLS port first)",
        (
            "Azure Policy 22bee202-a82f-4305-9a2a-6d7f44d4dedb",
            "PSRule AZR-000163",
            "Checkov CKV_AZURE_91",
            "KICS e29a75e6-aba3-4896-b42d-b87818c16b58",
            "Terrascan AC_AZURE_0394",
            "CloudSploit sslAccessOnlyEnabled",
            "AzTS Azure_RedisCache_DP_Use_SSL_Port",
            "Powerpipe azure_redis_cache_ssl_enabled",
        ),
    ),
    Rule(
        "T2",
        "The minimum TLS version is set, to 1.2 or newer",
        Severity.HIGH,
        on_cache(_minimum_tls),
        "set minimumTlsVersion to 1.2",
        (
            "PSRule AZR-000164",
            "Checkov CKV_AZURE_148",
            "CloudSploit minimumTlsVersion",
            "monkey365 azure-cache-redis-minimum-tls-version",
            "Powerpipe redis_cache_min_tls_1_2",
        ),
    ),
    Rule(
        "T6",
        "The published Secret holds TLS connections only",
        Severity.CRITICAL,
        _published,
        f"let the operator write it again: annotate the resource with a new value of {names.REFRESH}",
    ),
)
