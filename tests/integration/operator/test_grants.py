"""The operator's own identity opens only what a grant opens, and caps bound what namespaces can do with theirs."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.api import Document
from sandbox.azure.seeds import seeds
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_KEYS, CACHE_READ, CACHE_WRITE, SUBSCRIPTION, TENANT, VAULT_READ, Team, World
from tests.integration.operator.support import PROVISION, Case, provision, release

AUDIENCE = "api://AzureADTokenExchange"
POWERS = ["Observe", "PublishKey", "Provision", "Correct"]


@dataclass(frozen=True)
class Granted:
    """The world's operator runs with an identity of its own, which may do anything in Azure. It is granted to `team`.

    `near` has a name that begins like the granted one's; `stranger` is not named by any grant.
    """

    world: World
    object_id: str
    team: Team
    near: Team
    stranger: Team
    capped: Team


def _without_account(world: World, team: Team) -> Team:
    account: Document = {"apiVersion": "v1", "kind": "ServiceAccount"}
    world.api.delete({**account, "metadata": {"name": "secure-redis", "namespace": team.namespace}}).must()
    return team


@pytest.fixture(scope="module")
def granted(world: World) -> Iterator[Granted]:
    """Restart the operator with an identity, grants and caps, and without them at the end."""
    client, object_id = str(uuid.uuid4()), str(uuid.uuid4())
    subject = f"system:serviceaccount:{RELEASE_NAMESPACE}:{OPERATOR}"
    federation = seeds.Federation(issuer=world.cluster.service_account_issuer, subject=subject)
    name = f"granted-{uuid.uuid4().hex[:6]}"
    team, near, stranger = (_without_account(world, world.team(n)) for n in (name, f"{name}-b", f"other-{name}"))
    capped = world.team(f"capped-{name}")
    everywhere = seeds.subscription_scope(SUBSCRIPTION)
    operations = ("Microsoft.Cache/locations/asyncOperations/read",)
    world.control.seed(
        seeds.App(tenant=TENANT, client_id=client, object_id=object_id, federations=(federation,)),
        seeds.RoleAssignment(
            object_id=object_id, scope=everywhere, actions=CACHE_READ + CACHE_KEYS + CACHE_WRITE + operations
        ),
        *(
            seeds.RoleAssignment(object_id=object_id, scope=one.vault_scope, data_actions=VAULT_READ)
            for one in (team, near, stranger, capped)
        ),
    )
    token = world.directory / "operator.token"
    token.write_text(world.cluster.service_account_token(RELEASE_NAMESPACE, OPERATOR, audiences=[AUDIENCE]))
    grant = {
        "namespaces": [team.namespace, near.namespace],
        "powers": POWERS,
        "caches": [team.group_scope],
        "vaults": [{"uri": world.control.endpoints.vault_url(team.name), "secretNames": ["c-*"]}],
        "locations": ["westeurope"],
        "largestSKU": {"name": "Standard", "capacity": 1},
    }
    cap = {"namespaces": [capped.namespace], "powers": ["Observe"], "caches": [capped.group_scope]}
    world.stop_operator()
    world.start_operator(
        operatorIdentity={
            "type": "WorkloadIdentity",
            "clientID": client,
            "tenantID": TENANT,
            "tokenFile": str(token),
        },
        grants=[grant],
        caps=[cap],
    )
    yield Granted(world, object_id, team, near, stranger, capped)
    for one in (team, near, stranger, capped):
        release(world, one)
    world.stop_operator()
    world.start_operator()


class Own(Case):
    """A case whose calls to Azure are the operator's own; names are unique, as teams serve several tests."""

    def __init__(self, granted: Granted, team: Team, prefix: str = "c") -> None:
        super().__init__(granted.world, team, prefix)
        self.cache = f"{prefix}-{uuid.uuid4().hex[:8]}"
        self.operator = granted.object_id

    def own_calls(self) -> list[str]:
        """Calls about this cache or its vault secret since the case began, in Azure, as the operator."""
        found = self.control.log.requests(self.mark, path=self.cache)
        return [f"{r.method} {r.path}" for r in found if r.principal == self.operator]

    def tagged(self) -> None:
        """The vault's owner says whose key it is."""
        self.store(tags={"ProviderAddress": self.team.cache_id(self.cache), "CredentialId": "Primary"})


def test_a_grant_opens_what_it_names(granted: Granted) -> None:
    case = Own(granted, granted.team)
    case.exists()
    case.tagged()
    case.apply()
    case.until("Ready", "True")
    assert case.values()["password"] == case.keys["Primary"]


def test_the_vaults_owner_must_declare_the_cache_of_the_key(granted: Granted) -> None:
    case = Own(granted, granted.team)
    case.exists()
    case.store()
    case.apply()
    message = case.until("CredentialsSynced", "False", "KeyUnproven")
    assert f"ProviderAddress={granted.team.cache_id(case.cache)}" in message
    case.store(tags={"ProviderAddress": granted.team.cache_id("another")})
    case.poke()
    case.until("CredentialsSynced", "False", "VaultSecretForeign")
    assert case.secret() is None
    assert not [call for call in case.own_calls() if "listKeys" in call]  # nothing is compared before
    case.tagged()
    case.heal()


def _refused(case: Case, says: str) -> None:
    case.poke()
    conditions = {kind: case.condition(kind) for kind in ("Ready", "CacheAvailable")}
    assert conditions["Ready"][1] == "NotGranted", conditions
    assert says in conditions["Ready"][2]
    assert case.has("CredentialsSynced") is False or case.condition("CredentialsSynced")[0] != "True"


def test_a_namespace_without_a_grant(granted: Granted) -> None:
    case = Own(granted, granted.stranger)
    case.exists()
    case.tagged()
    case.apply()
    _refused(case, f"for namespace {granted.stranger.namespace!r}")
    assert case.own_calls() == []
    assert case.secret() is None


def test_a_group_whose_name_begins_like_the_granted_one(granted: Granted) -> None:
    """Scopes are compared by whole segments."""
    case = Own(granted, granted.near)
    case.exists()
    case.tagged()
    case.apply()
    _refused(case, "on /subscriptions/")
    assert case.own_calls() == []


def test_a_granted_namespace_and_the_cache_of_another(granted: Granted) -> None:
    theirs = Own(granted, granted.stranger)
    theirs.exists()
    case = Own(granted, granted.team)
    case.apply(key=False, resourceID=granted.stranger.cache_id(theirs.cache))
    _refused(case, theirs.cache)
    assert theirs.own_calls() == []


@pytest.mark.parametrize("which", ["secret", "vault"])
def test_a_vault_or_secret_that_is_not_granted(granted: Granted, which: str) -> None:
    case = Own(granted, granted.team)
    case.exists()
    owner = granted.team if which == "secret" else granted.stranger
    secret = f"x-{case.cache}" if which == "secret" else case.cache
    tags = {"ProviderAddress": granted.team.cache_id(case.cache)}
    case.control.keyvault.set_secret(owner.name, secret, seeds.SecretVersion(value=case.keys["Primary"], tags=tags))
    uri = case.control.endpoints.vault_url(owner.name)
    case.apply(authentication={"keyVault": {"uri": uri, "secretName": secret}})
    case.until("CredentialsSynced", "False", "NotGranted")
    assert not [call for call in case.own_calls() if "/secrets/" in call]
    assert case.secret() is None


CREATIONS: dict[str, dict[str, Any]] = {
    "location": {**PROVISION, "location": "northeurope"},
    "capacity": {**PROVISION, "redis": {"sku": {"name": "Standard", "capacity": 2}}},
    "tier": {**PROVISION, "redis": {"sku": {"name": "Premium", "capacity": 1}}},
}


@pytest.mark.parametrize("creation", CREATIONS, ids=str)
def test_a_creation_beyond_the_grant(granted: Granted, creation: str) -> None:
    case = Own(granted, granted.team)
    case.apply(**provision(case, provision=CREATIONS[creation]))
    message = case.until("Ready", "False", "NotGranted")
    assert "does not grant the operator's identity the power Provision" in message
    assert not [call for call in case.own_calls() if not call.startswith("GET")]


def test_a_power_that_was_not_granted(granted: Granted) -> None:
    """Delete is not among the powers: the cache stays, whatever the resource says."""
    case = Own(granted, granted.team)
    cluster = granted.world.api.get("/api/v1/namespaces/kube-system").must()["metadata"]["uid"]
    case.exists(properties={"publicNetworkAccess": "Enabled"})
    case.apply(
        annotations={"secureredis.io/adopt": case.cache, "secureredis.io/confirm-delete": case.cache},
        **provision(case, network={"publicAccess": "Enabled"}, deletionPolicy="Delete"),
    )
    case.until("Ready", "True")

    def tag() -> str:
        return str((case.control.redis.get(case.cache) or {})["tags"].get("secureredis-owner", ""))

    wait_for(lambda: tag() == f"{cluster}.{case.uid}", PATIENCE, "the adoption")
    case.delete()
    message = case.until("Ready", "False", "NotGranted")
    assert "the power Delete" in message
    assert case.control.redis.get(case.cache) is not None


def test_no_consent_does_not_fall_through_to_the_operators_identity(granted: Granted) -> None:
    case = Own(granted, granted.team)
    case.exists()
    granted.world.service_account(granted.team, "reluctant", allow=None)
    case.apply(key=False, identity={"serviceAccountName": "reluctant"})
    case.until("CacheAvailable", "Unknown", "ConsentMissing")
    case.change(identity={"serviceAccountName": "absent"})
    case.until("CacheAvailable", "Unknown", "ServiceAccountNotFound")
    assert case.own_calls() == []


def test_a_cap_bounds_a_namespaces_own_identity(granted: Granted) -> None:
    """The operator may check the cache with it, but may not publish the key with it."""
    case = Case(granted.world, granted.capped)
    case.exists()
    case.store()
    case.apply()
    case.until("CacheAvailable", "True")
    message = case.until("CredentialsSynced", "False", "NotGranted")
    assert "this namespace's identities the power PublishKey" in message
    assert case.secret() is None


def test_with_caps_everything_else_is_closed(granted: Granted, teams: Callable[..., Team]) -> None:
    case = Case(granted.world, teams())
    case.exists()
    case.store()
    case.apply()
    _refused(case, "this namespace's identities the power Observe")
    assert case.secret() is None
