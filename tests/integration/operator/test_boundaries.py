"""A resource in namespace A can by no spelling make the operator use namespace B's identity, Secret, vault or cache."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.api import Document
from sandbox.world import CACHE_KEYS, CACHE_READ, CACHE_WRITE, Team, World
from tests.integration.operator.support import Case, provision


@dataclass(frozen=True)
class Pair:
    """`mine` is the attacker's, `theirs` a good one of another namespace."""

    mine: Case
    theirs: Case


@pytest.fixture
def pair(world: World, case: Case, teams: Callable[..., Team]) -> Pair:
    """Two namespaces; the other's resource is published."""
    theirs = Case(world, teams(), "theirs")
    theirs.published()
    case.exists()
    case.store()
    return Pair(case, theirs)


# --- refused at admission -------------------------------------------------------------------------------------------

SPELLINGS = (
    "{ns}/secure-redis",
    "../{ns}/secure-redis",
    "system:serviceaccount:{ns}:secure-redis",
    "{ns}%2Fsecure-redis",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("field", ["account", "secret"])
def test_a_name_that_reaches_elsewhere_is_refused_at_admission(pair: Pair, spelling: str, field: str) -> None:
    name = spelling.format(ns=pair.theirs.team.namespace)
    spec: dict[str, Any] = (
        {"identity": {"serviceAccountName": name}} if field == "account" else {"connection": {"secretName": name}}
    )
    answer = pair.mine.world.api.create(pair.mine.spec(**spec))
    assert answer.status == 422
    assert "legal name" in answer.message


# --- refused by the operator, with a reason -------------------------------------------------------------------------


def _vault_of(case: Case, secret: str | None = None) -> dict[str, Any]:
    uri = case.control.endpoints.vault_url(case.team.name)
    return {"authentication": {"keyVault": {"uri": uri, "secretName": secret or case.cache}}}


def _their_client(pair: Pair) -> None:
    """The attacker's own ServiceAccount claims the other's Azure identity."""
    annotations = {"azure.workload.identity/client-id": pair.theirs.team.client_id}
    account: Document = {"apiVersion": "v1", "kind": "ServiceAccount"}
    named = {**account, "metadata": {"name": "secure-redis", "namespace": pair.mine.team.namespace}}
    pair.mine.world.api.merge(named, {"metadata": {"annotations": annotations}}).must()


def _may_read_their_caches(pair: Pair) -> None:
    pair.mine.allow(*CACHE_READ, scope=pair.theirs.team.group_scope)


def _may_write_their_caches(pair: Pair) -> None:
    pair.mine.allow(*CACHE_READ, *CACHE_WRITE, *CACHE_KEYS, scope=pair.theirs.team.group_scope)


def _another_caches_key(pair: Pair) -> None:
    pair.mine.control.keyvault.set_secret(pair.mine.team.name, "other", pair.theirs.keys["Primary"])


def _their_id(pair: Pair) -> str:
    return pair.theirs.team.cache_id(pair.theirs.cache)


def _nothing(pair: Pair) -> None:
    """Nothing needs doing."""


@dataclass(frozen=True)
class Attempt:
    """The attacker's preparation and spec; what the resource then says."""

    name: str
    spec: Callable[[Pair], dict[str, Any]]
    condition: str
    reason: str
    says: Callable[[Pair], str]
    arranges: Callable[[Pair], None] = _nothing


ATTEMPTS = (
    Attempt(
        "their ServiceAccount's name with dots",
        lambda p: {"identity": {"serviceAccountName": f"{p.theirs.team.namespace}.secure-redis"}},
        "CacheAvailable",
        "ServiceAccountNotFound",
        lambda p: "in this namespace",
    ),
    Attempt(
        "their client id on my ServiceAccount",
        lambda p: {},
        "CacheAvailable",
        "TokenRefused",
        lambda p: f"system:serviceaccount:{p.mine.team.namespace}:secure-redis",
        _their_client,
    ),
    Attempt(
        "their vault",
        lambda p: _vault_of(p.theirs),
        "CredentialsSynced",
        "VaultForbidden",
        lambda p: "lacks the permission",
    ),
    Attempt(
        "their cache",
        lambda p: {"resourceID": _their_id(p)},
        "CacheAvailable",
        "AzureDenied",
        lambda p: "Microsoft.Cache/redis/read",
    ),
    Attempt(
        "their cache in other letters",
        lambda p: {"resourceID": _their_id(p).upper().replace("MICROSOFT.CACHE/REDIS", "Microsoft.Cache/Redis")},
        "CacheAvailable",
        "AzureDenied",
        lambda p: "Microsoft.Cache/redis/read",
    ),
    Attempt(
        "their cache and their vault",
        lambda p: {"resourceID": _their_id(p), **_vault_of(p.theirs)},
        "CacheAvailable",
        "AzureDenied",
        lambda p: "Microsoft.Cache/redis/read",
    ),
    Attempt(
        "their vault for their cache that I may read",
        lambda p: {"resourceID": _their_id(p), **_vault_of(p.theirs)},
        "CredentialsSynced",
        "VaultForbidden",
        lambda p: "lacks the permission",
        _may_read_their_caches,
    ),
    Attempt(
        "my value for their cache that I may read",
        lambda p: {"resourceID": _their_id(p), **_vault_of(p.mine)},
        "CredentialsSynced",
        "KeyMismatch",
        lambda p: "the cache refused",
        _may_read_their_caches,
    ),
    Attempt(
        "a key of another cache than the one named",
        lambda p: _vault_of(p.mine, "other"),
        "CredentialsSynced",
        "KeyMismatch",
        lambda p: "another cache's",
        _another_caches_key,
    ),
    Attempt(
        "provisioning their cache",
        lambda p: {**provision(p.mine, key=True), "resourceID": _their_id(p)},
        "DriftDetected",
        "AdoptionRequired",
        lambda p: "secureredis.io/adopt",
        _may_write_their_caches,
    ),
)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_an_attempt_gains_nothing(pair: Pair, attempt: Attempt) -> None:
    mine, theirs = pair.mine, pair.theirs
    attempt.arranges(pair)
    with theirs.untouched():
        mine.apply(**attempt.spec(pair))
        mine.poke()
        _, reason, message = mine.condition(attempt.condition)
        assert (reason, attempt.says(pair) in message) == (attempt.reason, True), f"{reason}: {message}"
        mine.poke()  # what the other's resource fetched meanwhile does not serve this one
        theirs.poke()
        mine.poke()
        assert mine.condition(attempt.condition)[1] == attempt.reason
        theirs.poke()
    if attempt.condition != "DriftDetected":
        assert mine.secret() is None
    assert mine.writes() == []
    assert theirs.condition("Ready")[0] == "True"


def test_labels_that_name_another_namespaces_resource_wake_and_change_nothing(pair: Pair) -> None:
    """A Secret in A that claims to be of B's resource belongs to no resource."""
    mine, theirs = pair.mine, pair.theirs
    labels = {"app.kubernetes.io/managed-by": "secure-redis-operator", "secureredis.io/cache": theirs.cache}
    metadata = {"name": theirs.cache, "namespace": mine.team.namespace, "labels": labels}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "servicebinding.io/redis"}
    with theirs.untouched():
        made = mine.world.api.create({**body, "stringData": {"password": "x"}}).must()
        theirs.poke()
    found = mine.must_secret(theirs.cache)
    assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_resource_of_the_same_name_elsewhere_is_another(world: World, pair: Pair) -> None:
    """Same resource name, same Secret name, other namespace: each has its own cache's key."""
    mine, theirs = pair.mine, pair.theirs
    mine.spec()["metadata"]["name"] = theirs.cache
    mine.document["spec"]["connection"] = {"secretName": theirs.cache}
    with theirs.untouched():
        world.apply(mine.document)
        mine.until("Ready", "True")
    assert mine.values(theirs.cache)["password"] == mine.keys["Primary"]
    assert theirs.values()["password"] == theirs.keys["Primary"]


def test_a_vault_cannot_send_a_token_elsewhere(case: Case) -> None:
    """A vault's challenge names another resource, and its list another host: no token follows."""
    case.exists()
    case.store()
    elsewhere = "https://vault.example.com"
    authority = case.control.endpoints.authority
    challenge = f'Bearer authorization="{authority}/tenant", resource="{elsewhere}"'
    case.fault(service="vault", principal=None, status=401, headers={"WWW-Authenticate": challenge}, path=case.cache)
    case.apply()
    case.until("CacheAvailable", "True")
    _, reason, _ = case.condition("CredentialsSynced")
    assert reason in ("VaultNotAllowed", "TokenRefused")
    tokens = [r for r in case.control.log.requests(case.mark, service="entra") if r.principal == case.team.object_id]
    assert len([r for r in tokens if r.action == "token"]) == 1  # for the resource manager
    assert case.secret() is None
    case.mend_faults()
    case.heal()


@pytest.mark.parametrize("service", ["arm", "vault"])
def test_a_redirect_is_not_followed(case: Case, service: str) -> None:
    case.exists()
    case.store()
    host = case.control.endpoints.vault_url("elsewhere")
    case.fault(service=service, status=302, headers={"Location": f"{host}/secrets/{case.cache}"})
    case.apply()
    kind = "CacheAvailable" if service == "arm" else "CredentialsSynced"
    case.until(kind, "Unknown")
    assert [r for r in case.control.log.requests(case.mark) if "elsewhere" in r.host] == []
    assert case.secret() is None
    case.mend_faults()
    case.heal()


@pytest.mark.parametrize("link", ["https://evil.example.com/subscriptions", "{other}/subscriptions"])
def test_a_list_cannot_send_a_token_elsewhere(case: Case, link: str) -> None:
    case.exists()
    case.store()
    other = case.control.endpoints.vault_url("elsewhere")
    body = {"value": [], "nextLink": link.format(other=other)}
    case.fault(service="arm", path="/providers/Microsoft.Cache/redis$", status=200, body=body)
    case.apply()
    case.poke()
    assert [r for r in case.control.log.requests(case.mark) if "elsewhere" in r.host] == []


def test_an_owner_tag_cannot_be_borrowed(world: World, build: Case, builders: Team) -> None:
    """The tag names a resource by uid: a resource of the same name in another namespace is not it."""
    build.apply(**provision(build))
    build.until("Ready", "True")
    tagged = dict((build.control.redis.get(build.cache) or {})["tags"])
    other = Case(world, builders)
    other.spec(**provision(other, deletionPolicy="Delete"))["metadata"]["name"] = f"{build.cache}-other"
    other.document["metadata"]["annotations"] |= {
        "secureredis.io/adopt": build.cache,
        "secureredis.io/confirm-delete": build.cache,
    }
    world.apply(other.document)
    other.until("Ready", "False", "OwnedByAnother")
    other.delete()
    other.until("Ready", "False", "NotOwned")
    assert (build.control.redis.get(build.cache) or {})["tags"] == tagged
    assert [kind for kind, _ in build.effects()].count("cache.delete") == 0
