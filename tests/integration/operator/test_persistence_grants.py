"""A storage account is followed and written to only where a grant names it; caps bound namespaces' own identities."""

import base64
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.api import Document
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import StorageAccount, storage_scope
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.world import CACHE_KEYS, CACHE_READ, CACHE_WRITE, SUBSCRIPTION, TENANT, Team, World
from tests.integration.operator.persistence_support import (
    CHAIN,
    CORRECT,
    PREMIUM,
    STORAGE_READ,
    Persisting,
    by_secret,
    premium,
    secret,
)
from tests.integration.operator.support import release

OTHER = str(uuid.uuid4())  # another subscription of the tenant
POWERS = ["Observe", "Provision", "Correct"]


@dataclass(frozen=True)
class Granted:
    """The operator has an identity of its own that may read every account. `account` is the one that is granted.

    `team` uses the operator's identity, `wide` too and with its whole group; `capped` has its own, bounded by a cap.
    """

    world: World
    object_id: str
    account: str
    team: Team
    wide: Team
    capped: Team


@pytest.fixture(scope="module")
def granted(world: World) -> Iterator[Granted]:
    """Restart the operator with an identity, grants and caps, and without them at the end."""
    client, object_id, name = str(uuid.uuid4()), str(uuid.uuid4()), f"stored-{uuid.uuid4().hex[:6]}"
    account = f"data{uuid.uuid4().hex[:10]}"
    team, wide, capped = world.team(name), world.team(f"{name}-wide"), world.team(f"{name}-capped")
    for one in (team, wide):  # without an identity of their own
        named: Document = {"apiVersion": "v1", "kind": "ServiceAccount"}
        world.api.delete({**named, "metadata": {"name": "secure-redis", "namespace": one.namespace}}).must()
    subject = f"system:serviceaccount:{RELEASE_NAMESPACE}:{OPERATOR}"
    federation = seeds.Federation(issuer=world.cluster.service_account_issuer, subject=subject)
    rights = CACHE_READ + CACHE_KEYS + CACHE_WRITE + STORAGE_READ + ("Microsoft.Cache/locations/asyncOperations/read",)
    world.control.seed(
        seeds.App(tenant=TENANT, client_id=client, object_id=object_id, federations=(federation,)),
        seeds.Subscription(id=OTHER, tenant=TENANT),
        seeds.Group(subscription=OTHER, name=name),
        *(
            seeds.RoleAssignment(object_id=object_id, scope=seeds.subscription_scope(one), actions=rights)
            for one in (SUBSCRIPTION, OTHER)
        ),
        seeds.RoleAssignment(
            object_id=capped.object_id, scope=seeds.subscription_scope(SUBSCRIPTION), actions=STORAGE_READ
        ),
    )
    token = world.directory / "storage-operator.token"
    audience = "api://AzureADTokenExchange"
    token.write_text(world.cluster.service_account_token(RELEASE_NAMESPACE, OPERATOR, audiences=[audience]))
    some = {"powers": POWERS, "locations": ["westeurope"], "largestSKU": {"name": "Premium", "capacity": 1}}

    def grant(one: Team, scope: str) -> dict[str, Any]:
        return {**some, "namespaces": [one.namespace], "caches": [one.group_scope], "storageAccounts": [scope]}

    world.stop_operator()
    world.start_operator(
        operatorIdentity={
            "type": "WorkloadIdentity",
            "clientID": client,
            "tenantID": TENANT,
            "tokenFile": str(token),
        },
        grants=[grant(team, storage_scope(SUBSCRIPTION, team.name, account)), grant(wide, wide.group_scope)],
        caps=[grant(capped, storage_scope(SUBSCRIPTION, capped.name, f"{account}c"))],
    )
    yield Granted(world, object_id, account, team, wide, capped)
    for one in (team, wide, capped):
        release(world, one)
    world.stop_operator()
    world.start_operator()


class Own(Persisting):
    """A case whose account has a name and a place that were chosen; caches have names of their own."""

    def __init__(self, granted: Granted, team: Team, account: str, group: str = "", where: str = SUBSCRIPTION) -> None:
        super().__init__(granted.world, team)
        self.cache = f"c-{uuid.uuid4().hex[:8]}"
        blob = self.blob.replace(self.account, account)
        self.control.storage.delete(self.account)
        properties = {
            "networkAcls": {"bypass": "AzureServices", "defaultAction": "Deny"},
            "allowSharedKeyAccess": False,
        }
        self.account, self.account_id = account, storage_scope(where, group or team.name, account)
        self._blob = blob
        seed = StorageAccount(subscription=where, group=group or team.name, name=account, properties=properties)
        self.control.seed(seed)

    @property
    def blob(self) -> str:
        return getattr(self, "_blob", "") or super().blob

    def asked(self) -> list[str]:
        """Every request to Azure that could reveal an account, by any identity."""
        found = self.control.log.requests(self.mark)
        return [f"{r.method} {r.path}" for r in found if "storageaccounts" in r.path.lower() or "/resources" in r.path]


def test_the_account_that_a_grant_names_in_any_spelling(granted: Granted) -> None:
    case = Own(granted, granted.team, granted.account)
    case.persists()
    spelled = case.account_id.replace("resourceGroups", "RESOURCEGROUPS").replace(case.account, case.account.upper())
    case.apply(key=False, persistence={"type": "RDB", "storage": {"accountID": spelled}})
    case.until(CHAIN, "True")


def test_it_is_found_without_a_list_where_only_its_name_is_known(granted: Granted) -> None:
    case = Own(granted, granted.team, granted.account)
    case.persists()
    case.apply(key=False)
    case.until(CHAIN, "True")
    assert not [one for one in case.asked() if "/resources" in one]


@pytest.mark.parametrize(
    ("what", "declared"),
    # By its name alone one in another group is the granted one: names of accounts are unique.
    [("name", True), ("group", True), ("subscription", True), ("name", False), ("subscription", False)],
)
def test_an_account_that_no_grant_names_is_not_asked_for(granted: Granted, what: str, *, declared: bool) -> None:
    """Neither read nor searched for, though the identity could: by its id in the spec, or by its name in the cache."""
    name = f"{granted.account}x" if what == "name" else granted.account
    group = granted.wide.name if what == "group" else ""
    case = Own(granted, granted.team, name, group, OTHER if what == "subscription" else SUBSCRIPTION)
    case.persists(**({"storage-subscription-id": OTHER} if what == "subscription" else {}))
    spec = {"persistence": {"type": "RDB", "storage": case.storage()}} if declared else {}
    case.apply(key=False, **spec)
    message = case.until(CHAIN, "Unknown", "NotGranted")
    assert (case.account_id if declared else name) in message
    assert case.asked() == []
    assert case.condition("Ready")[0] == "True"


def test_within_a_granted_group_an_account_is_found_and_elsewhere_not_even_where_it_is(granted: Granted) -> None:
    inside = Own(granted, granted.wide, f"in{uuid.uuid4().hex[:10]}")
    inside.persists()
    inside.apply(key=False)
    inside.until(CHAIN, "True")
    outside = Own(granted, granted.wide, f"out{uuid.uuid4().hex[:10]}", granted.team.name)
    outside.persists()
    outside.apply(key=False)
    message = outside.until(CHAIN, "Unknown", "AzureDenied")
    assert granted.team.group_scope not in message
    assert set(outside.asked()) == {f"GET {granted.wide.group_scope.lower()}/resources"}
    missing = message.replace(outside.account, "gone")
    outside.control.storage.delete(outside.account)
    assert outside.look("Unknown", "AzureDenied").replace(outside.account, "gone") == missing


@pytest.mark.parametrize("named", [True, False])
def test_caps_bound_a_namespaces_own_identity(granted: Granted, *, named: bool) -> None:
    case = Own(granted, granted.capped, f"{granted.account}{'c' if named else 'd'}")
    case.persists()
    case.apply(key=False, persistence={"type": "RDB", "storage": case.storage()})
    if named:
        case.until(CHAIN, "True")
        return
    assert "this namespace's identities" in case.until(CHAIN, "Unknown", "NotGranted")
    assert case.asked() == []


@pytest.mark.parametrize("identity", ["the operator's", "the namespace's"])
def test_a_connection_string_is_sent_for_the_granted_account_only(granted: Granted, identity: str) -> None:
    """Of an account that is not granted nothing is set; and the string of another one is not sent for a granted one."""
    team = granted.team if identity == "the operator's" else granted.capped
    if team is granted.capped:
        for actions in (CACHE_READ, CACHE_KEYS, CACHE_WRITE):
            granted.world.control.seed(
                seeds.RoleAssignment(object_id=team.object_id, scope=team.group_scope, actions=actions)
            )
    right = granted.account if team is granted.team else f"{granted.account}c"
    case = Own(granted, team, f"{right}9")
    key = base64.b64encode(uuid.uuid4().bytes * 4).decode()
    case.exists(sku=PREMIUM, properties={"publicNetworkAccess": "Enabled"})
    secret(case, case.connection_string(key))
    spec = {**premium(case, identity=None, persistence=by_secret(case), network={"publicAccess": "Enabled"}), **CORRECT}
    case.apply(annotations={"secureredis.io/adopt": case.cache}, **spec)
    case.until(CHAIN, "False", "NotGranted")
    assert case.asked() == []
    case.account, case.account_id = right, storage_scope(SUBSCRIPTION, team.name, right)
    case.control.seed(StorageAccount(subscription=SUBSCRIPTION, group=team.name, name=right))
    case.change(persistence=by_secret(case))
    assert "another account" in case.until(CHAIN, "False", "StorageSecretRefused")
    assert not any("redisConfiguration" in str(w.body_keys) for w in case.control.log.writes(case.mark))
    case.control.storage.update(right, {"allowSharedKeyAccess": True})
    secret(case, case.connection_string(key))
    case.poke()
    case.until(CHAIN, "True")
    assert case.settings()["rdb-storage-connection-string"].startswith("DefaultEndpointsProtocol=https;AccountName=")
