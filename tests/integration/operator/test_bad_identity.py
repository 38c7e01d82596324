"""The identity in use: the status names what is missing and what to do, Azure gets no request, and it recovers."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sandbox.azure.seeds import seeds
from sandbox.world import CACHE_READ, TENANT, VAULT_READ, Team, World
from tests.integration.operator.support import Bystander, Case


@dataclass(frozen=True)
class Row:
    """`account`: what the spec names; `silent`: no request to Azure before it is repaired."""

    name: str
    breaks: Callable[[Case], object]
    reason: str
    says: str
    mends: Callable[[Case], object] | None  # None: repaired like another row, which takes time
    account: str | None = "worker"
    silent: bool = True


def _account(annotated: bool = True, allow: str | None = "*") -> Callable[[Case], None]:
    def make(case: Case) -> None:
        case.world.service_account(case.team, "worker", allow=allow, annotated=annotated)

    return make


def _federate(*names: str, **other: str) -> Callable[[Case], None]:
    """The team's application trusts these ServiceAccounts of its namespace."""

    def seed(case: Case) -> None:
        issuer = case.world.cluster.service_account_issuer
        trusted = tuple(
            seeds.Federation(
                **{"issuer": issuer, "subject": f"system:serviceaccount:{case.team.namespace}:{name}", **other}
            )
            for name in names
        )
        app = seeds.App(
            tenant=TENANT, client_id=case.team.client_id, object_id=case.team.object_id, federations=trusted
        )
        case.control.seed(app)

    return seed


def _all(*steps: Callable[[Case], object]) -> Callable[[Case], None]:
    def run(case: Case) -> None:
        for step in steps:
            step(case)

    return run


def _no_default(case: Case) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    case.world.api.delete({**account, "metadata": {"name": "secure-redis", "namespace": case.team.namespace}}).must()


def _unknown_client(case: Case) -> None:
    team = Team(case.team.name, case.team.namespace, str(uuid.uuid4()), case.team.object_id)
    case.world.service_account(team, "worker")


ready = _all(_account(), _federate("worker"))

ROWS = (
    Row("missing", lambda c: None, "ServiceAccountNotFound", "create it with the annotations", ready),
    Row("not annotated", _account(annotated=False), "ServiceAccountNotAnnotated", "/client-id", ready),
    Row("no consent", _account(allow=None), "ConsentMissing", "annotate it with secureredis.io/allow", ready),
    Row("consent for others", _account(allow="orders, c-"), "ConsentMissing", "(or *)", ready),
    Row(
        "no default",
        _no_default,
        "NoIdentity",
        "spec.identity.serviceAccountName",
        lambda c: c.world.service_account(c.team, "secure-redis"),
        account=None,
    ),
    Row(
        "not federated with this account",
        _account(),
        "TokenRefused",
        "add one with the cluster's issuer",
        _federate("worker"),
        silent=False,
    ),
    Row(
        "not federated with this cluster",
        _all(_account(), _federate("worker", issuer="https://elsewhere.example.com")),
        "TokenRefused",
        "correct the issuer",
        None,
        silent=False,
    ),
    Row(
        "not federated for this audience",
        _all(_account(), _federate("worker", audience="api://other")),
        "TokenRefused",
        "correct the audience",
        None,
        silent=False,
    ),
    Row(
        "unknown client",
        _unknown_client,
        "TokenRefused",
        "check the ServiceAccount's client-id",
        ready,  # another identity, so nothing is remembered of it
        silent=False,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_identity_no_call(case: Case, bystander: Bystander, row: Row) -> None:
    case.exists()
    case.store()
    row.breaks(case)
    identity = {} if row.account is None else {"identity": {"serviceAccountName": row.account}}
    case.apply(**identity)
    status, reason, message = (case.until("CacheAvailable", "Unknown", row.reason), *case.condition("Ready"))[1:]
    assert (status == "True", reason, row.says in message) == (False, row.reason, True), message
    assert case.secret() is None
    mine = [r for r in case.control.log.requests(case.mark) if r.principal == case.team.object_id]
    assert mine == [] if row.silent else all(r.service == "entra" for r in mine)
    bystander.goes_on()
    assert case.writes() == []
    if row.mends is None:
        return
    row.mends(case)
    case.heal()
    assert case.values()["password"] == case.keys["Primary"]
    assert case.writes() == []


def test_consent_that_is_withdrawn(case: Case) -> None:
    """Nothing more is done with the identity; the Secret stays, and is not called Ready."""
    case.published()
    case.world.service_account(case.team, "secure-redis", allow="others")
    case.heal("CacheAvailable", "Unknown", "ConsentMissing")
    mark = case.control.log.position()
    with case.untouched():
        case.poke()
    assert case.condition("Ready")[:2] == ("Unknown", "ConsentMissing")
    assert [r for r in case.control.log.requests(mark) if r.principal == case.team.object_id] == []


def test_a_namespace_that_has_not_consented(world: World, teams: Callable[..., Team], bystander: Bystander) -> None:
    case = Case(world, teams(bound=False))
    case.exists()
    case.store()
    case.apply()
    message = case.until("CacheAvailable", "Unknown", "NamespaceNotBound")
    assert f"--namespace={case.team.namespace} --clusterrole=secure-redis-namespace" in message
    assert "--serviceaccount=secure-redis-system:secure-redis-operator" in message or "--serviceaccount=" in message
    assert case.condition("Ready")[0] != "True"
    assert case.secret() is None
    assert [r for r in case.control.log.requests(case.mark) if r.principal == case.team.object_id] == []
    bystander.goes_on()
    world.bind(case.team.namespace)
    case.heal()


def test_a_namespace_that_withdraws_its_consent(case: Case) -> None:
    """The RoleBinding is removed: the status says so, and the Secret stays; applied again, all goes on."""
    case.published()
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    named = {**binding, "metadata": {"name": "secure-redis-operator", "namespace": case.team.namespace}}
    case.world.api.delete(named).must()
    with case.untouched():
        case.heal("CacheAvailable", "Unknown", "NamespaceNotBound")
    case.world.bind(case.team.namespace)
    case.heal("CacheAvailable", "True")
    case.heal("Ready", "True")


def test_a_role_that_takes_time(world: World, teams: Callable[..., Team]) -> None:
    """Azure applies a new assignment after minutes: denied until then, and good without any other action."""
    case = Case(world, teams(cache_actions=(), vault_actions=()))
    case.exists()
    case.store()
    case.apply()
    assert "takes some minutes" in case.until("CacheAvailable", "Unknown", "AzureDenied")
    case.allow(*CACHE_READ)
    case.heal("CacheAvailable", "True")
    case.until("CredentialsSynced", "Unknown", "VaultForbidden")
    case.allow(scope=case.team.vault_scope, data=VAULT_READ)
    case.allow("Microsoft.Cache/redis/listKeys/action")
    case.heal()
