"""Rules on encryption in transit."""

import re
from datetime import timedelta

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.connection_secret import PLAINTEXT_PORT
from secure_redis.domain.assess.rules.managed_redis import on_database
from secure_redis.domain.assess.rules.redis import on_redis
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    READ_CACHE,
    READ_DATABASE,
    READ_MANAGED,
    Rule,
    Severity,
    Verdict,
    date,
    fail,
    on_cache,
    on_endpoint,
    some,
    unknown,
    unread,
)
from secure_redis.domain.observe.cache import LOWEST_TLS, Cache
from secure_redis.domain.observe.endpoint import EndpointFacts, Offer, PlaintextPort
from secure_redis.domain.observe.managed_redis import ManagedDatabase
from secure_redis.domain.observe.normalise import same_word, tls_version
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown

# Microsoft renews a certificate long before this.
NEAR = timedelta(days=14)
_SHORTEST_KEY = 32  # bytes; Azure's have 44 and more

_SCHEME = re.compile(rb"(?<![a-z])redis://", re.IGNORECASE)
_NO_SSL = re.compile(rb"\b(use_?ssl|ssl|tls)\s*[=:]\s*(false|0|no|off)\b", re.IGNORECASE)
_PORT = re.compile(rb"(:|^)%d(\D|$)" % PLAINTEXT_PORT)


def _non_tls_port(cache: Redis) -> Verdict:
    if cache.plaintext_open is None:
        return unknown("Azure did not report whether the non-TLS port is open")
    return fail("the non-TLS port is open: keys and data can travel unencrypted") if cache.plaintext_open else PASS


def _minimum_tls(cache: Cache) -> Verdict:
    if cache.minimum_tls_version is None:
        return unknown("no minimum TLS version is set on the cache; set minimumTlsVersion to 1.2 explicitly")
    version = tls_version(cache.minimum_tls_version)
    if version is None:
        return unknown("Azure reports a minimum TLS version that is no version")
    return PASS if version >= LOWEST_TLS else fail(f"the cache accepts TLS {version[0]}.{version[1]}")


def _published(resource: SecureRedisCache, observed: Observation) -> Verdict:
    secret = observed.secret
    if resource.spec.authentication is None and not isinstance(secret, SecretFacts):
        return NOT_APPLICABLE
    if isinstance(secret, Unknown | NotRead):
        return unread("the published Secret", secret)
    if secret is None:
        return PASS  # without a Secret there is no connection; the result stays when `connection_secret` builds one
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
    """Remove the key, which may contain any text. A short one is no key and could hide a plaintext connection."""
    return value.replace(password, b"") if len(password) >= _SHORTEST_KEY else value


def _plaintext(name: str, value: bytes) -> bool:
    if name == "ssl":
        return value.strip().lower() != b"true"
    if name == "port":
        return value.strip() == b"%d" % PLAINTEXT_PORT
    return bool(_SCHEME.search(value) or _NO_SSL.search(value) or _PORT.search(value))


def _client_protocol(database: ManagedDatabase) -> Verdict:
    if database.client_protocol is None:
        return unknown("Azure did not report whether the database accepts encrypted connections only")
    if same_word(database.client_protocol, "Encrypted"):
        return PASS
    return fail("the database accepts connections without TLS (clientProtocol Plaintext)")


def _plaintext_port(endpoint: EndpointFacts, _: Observation) -> Verdict:
    if isinstance(endpoint.plaintext, Unknown):
        return unread("the non-TLS port", endpoint.plaintext)
    if endpoint.plaintext is PlaintextPort.OPEN:
        return fail(f"port {endpoint.plaintext_port} of {endpoint.host} answers Redis without TLS")
    return PASS


def _offered(endpoint: EndpointFacts, observed: Observation) -> Verdict:
    """Build the verdict: a fault weighs more than a part that could not be probed."""
    offers = (("TLS 1.0", endpoint.tls_1_0), ("TLS 1.1", endpoint.tls_1_1))
    wrong = [f"{name} is accepted" for name, offer in offers if offer is Offer.ACCEPTED]
    for what, found in (("the certificate's chain", endpoint.chain), ("its name", endpoint.name)):
        if not isinstance(found, Unknown) and not found.verified:
            wrong.append(f"{what} is not valid: {found.why}")
    certificate = endpoint.certificate
    if not isinstance(certificate, Unknown) and observed.now >= certificate.not_after - NEAR:
        word = "expired" if observed.now >= certificate.not_after else "expires"
        wrong.append(f"the certificate {word} on {date(certificate.not_after)}")
    if wrong:
        return fail(f"{endpoint.host}:{endpoint.port}: {some(wrong)}")
    parts = (endpoint.reached, endpoint.tls_1_0, endpoint.tls_1_1, endpoint.chain, endpoint.name, endpoint.certificate)
    missing = next((part for part in parts if isinstance(part, Unknown)), None)
    return PASS if missing is None else unread("a part of the endpoint", missing)


def _plaintext_uses(resource: SecureRedisCache, observed: Observation) -> Verdict:
    uses = observed.plaintext_uses
    if isinstance(uses, NotRead) and not resource.spec.workloads:
        return NOT_APPLICABLE
    if isinstance(uses, Unknown | NotRead):
        return unread("the environment of the workloads", uses)
    found = [f"{use.kind} {use.name!r} ({use.container}: {use.variable}, from {use.source})" for use in uses]
    if found:
        return fail(f"connects without TLS, or without verifying the server: {some(found)}")
    return PASS if observed.plaintext_unread is None else unread("the workloads' ConfigMaps", observed.plaintext_unread)


RULES = (
    Rule(
        "T1",
        "The non-TLS port is off",
        Severity.CRITICAL,
        on_redis(_non_tls_port, "a Managed Redis database has one port: rule T3 judges what it speaks"),
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
        why="On port 6379 the access key and all data cross the network unencrypted.",
        reads="the cache's enableNonSslPort",
        needs=(READ_CACHE,),
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
        why=(
            "Older versions can be broken or downgraded. Azure omits the value where it was never set. Then the "
            "result is "
            "Unknown."
        ),
        reads="the cache's (or the cluster's) minimumTlsVersion",
        needs=(READ_CACHE, READ_MANAGED),
    ),
    Rule(
        "T3",
        "The Managed Redis database accepts encrypted connections only",
        Severity.CRITICAL,
        on_database(_client_protocol),
        "set clientProtocol to Encrypted; clients without TLS must move first",
        why="Keys and data cross the network unencrypted.",
        reads="clientProtocol of the cluster's database `default`",
        needs=(READ_DATABASE,),
    ),
    Rule(
        "T4",
        "The non-TLS port does not answer",
        Severity.CRITICAL,
        on_endpoint(_plaintext_port),
        "set enableNonSslPort to false and find out what answers there (Managed Redis: see T3)",
        why="The endpoint can behave differently from what Azure reports. Clients depend on the endpoint.",
        reads=(
            "a connection from the operator to the port that Azure reports as the non-TLS one (Managed Redis: its one "
            "port, without TLS). It is unknown if spec.transport.probe is Disabled; not applicable where there is no "
            "endpoint to probe"
        ),
        needs=("a network route from the operator to the cache",),
    ),
    Rule(
        "T5",
        "The endpoint accepts TLS 1.2 or newer only, with a certificate that is valid for its name",
        Severity.HIGH,
        on_endpoint(_offered),
        "set minimumTlsVersion to 1.2; a certificate that is not Microsoft's points to something between client "
        "and cache",
        strict=Severity.CRITICAL,
        why="The endpoint can behave differently from what Azure reports. Only the endpoint shows an interceptor.",
        reads=(
            "handshakes with the endpoint, one per version, and the certificate's expiry. The operator verifies "
            "chain and name with the system's authorities or the configured CA. The result is unknown if "
            "spec.transport.probe is Disabled; not applicable where there is no endpoint to probe"
        ),
        needs=("a network route from the operator to the cache",),
        horizons=(-NEAR,),
    ),
    Rule(
        "T6",
        "The published Secret holds TLS connections only",
        Severity.CRITICAL,
        _published,
        f"let the operator write it again: annotate the resource with a new value of {names.REFRESH}",
        why="Another party changed the Secret, so clients connect without TLS.",
        reads="the published Secret",
        needs=("the operator's RoleBinding in the namespace",),
    ),
    Rule(
        "T7",
        "No listed workload connects to the cache without TLS",
        Severity.HIGH,
        _plaintext_uses,
        "take host, port and URI from the published Secret (uri begins with rediss://). Give Bull the entry bull, "
        "Celery the entry celery, and n8n QUEUE_BULL_REDIS_TLS=true",
        strict=Severity.CRITICAL,
        why=(
            "A client with `redis://`, port 6379 or ssl=False sends the key unencrypted, or waits for the "
            "port to open. Bull also opens a `rediss://` URI without TLS, and Celery does not verify the server of one "
            "without ssl_cert_reqs."
        ),
        reads=(
            "env entries of the workloads that spec.workloads lists. Of workloads that consent, also the ConfigMaps "
            "that they use by name. The operator does not read settings of an image, of a Secret (rule W2) or of the "
            "program itself. It stores only which host is named without TLS. It recognises Bull, Celery and n8n by "
            "the names of their variables"
        ),
        needs=("the operator's permissions on workloads in the namespace (the chart's workloads.enabled)",),
    ),
)
