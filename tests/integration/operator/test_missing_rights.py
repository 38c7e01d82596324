"""The status names a missing permission: the verb or action, whose it is, what to apply; once granted, it recovers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_KEYS, CACHE_READ, VAULT_READ, Team, World
from tests.integration.operator.conftest import INTERVALS
from tests.integration.operator.persistence_support import Persisting
from tests.integration.operator.support import Case, release
from tests.integration.operator.workload_support import Target, current, world_with_pods

Rules = list[dict[str, Any]]
ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
WHO = f"ServiceAccount {RELEASE_NAMESPACE}/{OPERATOR}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """Permissions are taken from the chart's role itself, which no other test's operator may lack."""
    with world_with_pods(tmp_path_factory, hosts, f"l.{domain}", INTERVALS) as running:
        yield running


def assigned(case: Case, role: str, scope: str) -> str:
    """The command that a message must hold."""
    return (
        f"az role assignment create --assignee-object-id {case.team.object_id} --assignee-principal-type "
        f"ServicePrincipal --role '{role}' --scope {scope.lower()}"
    )


def told_azure(case: Case, message: str, action: str, role: str, scope: str) -> None:
    """Action, identity, scope and command."""
    assert action in message
    assert f"ServiceAccount {case.team.namespace}/secure-redis (client {case.team.client_id}) lacks" in message
    # A message ends after 1,024 characters: in one about the key too, a long scope may be cut.
    whole = assigned(case, role, scope)
    assert whole in message or (
        len(message) == 1024 and message.endswith(whole[: len(message.partition(whole[:40])[2]) + 40])
    )


# --- Azure ----------------------------------------------------------------------------------------------------------


def made(world: World, kind: type[Case] = Case, **rights: tuple[str, ...]) -> Case:
    return kind(world, world.team(**rights))  # type: ignore[arg-type]


def test_the_cache_may_not_be_read(world: World) -> None:
    case = made(world, cache_actions=())
    case.exists()
    case.apply(key=False)
    message = case.until("CacheAvailable", "Unknown", "AzureDenied")
    # The scope is the group: a cache that may not be read and a name that does not exist get the same answer.
    told_azure(case, message, "Microsoft.Cache/redis/read", "Secure Redis Observe", case.team.group_scope)
    case.allow(*CACHE_READ)
    case.heal()
    release(world, case.team)


def test_keys_may_not_be_listed(world: World) -> None:
    """There is no other proof: the cache is not reachable, and the vault's owner says nothing."""
    case = made(world, cache_actions=CACHE_READ)
    case.exists(private_endpoints=())
    case.store()
    case.apply(transport={"probe": "Disabled"})
    message = case.until("CredentialsSynced", "False", "KeyUnproven")
    action = "Microsoft.Cache/redis/listKeys/action"
    told_azure(case, message, action, "Secure Redis PublishKey", case.team.cache_id(case.cache))
    case.allow(*CACHE_KEYS)
    case.heal("CredentialsSynced")
    release(world, case.team)


def test_the_vault_may_not_be_read(world: World) -> None:
    case = made(world, vault_actions=())
    case.exists()
    case.store()
    case.apply()
    message = case.until("CredentialsSynced", "Unknown", "VaultForbidden")
    scope = f"{case.team.vault_scope}/secrets/{case.cache}"
    told_azure(case, message, VAULT_READ[0].rsplit("/", 2)[0], "Secure Redis PublishKey", scope)
    case.allow(scope=case.team.vault_scope, data=VAULT_READ)
    case.heal()
    release(world, case.team)


def test_the_storage_account_may_not_be_read(world: World) -> None:
    storage = tuple(action for action in CACHE_READ if action.startswith("Microsoft.Storage/"))
    case = made(world, Persisting, cache_actions=tuple(action for action in CACHE_READ if action not in storage))
    assert isinstance(case, Persisting)
    case.persists()
    case.apply(key=False, persistence={"type": "RDB", "storage": case.storage()})
    message = case.until("PersistenceEncrypted", "Unknown", "AzureDenied")
    told_azure(case, message, "Microsoft.Storage/storageAccounts/read", "Secure Redis Observe", case.account_id)
    case.allow(*storage)
    case.heal("PersistenceEncrypted")
    release(world, case.team)


# --- Kubernetes -----------------------------------------------------------------------------------------------------


@pytest.fixture
def role(world: World) -> Iterator[Rules]:
    """The rules of the chart's role for namespaces, which are put back afterwards."""
    found = world.api.find({**ROLE, "metadata": {"name": "secure-redis-namespace"}})
    assert found is not None
    yield found["rules"]
    put(world, found["rules"])


def put(world: World, rules: Rules) -> None:
    world.api.merge({**ROLE, "metadata": {"name": "secure-redis-namespace"}}, {"rules": rules}).must()


def without(rules: Rules, resource: str, verb: str) -> Rules:
    """The rules without this one permission."""
    kept = [{**rule, "resources": [one for one in rule["resources"] if one != resource]} for rule in rules]
    less = [
        {**rule, "resources": [resource], "verbs": [one for one in rule["verbs"] if one != verb]}
        for rule in rules
        if resource in rule["resources"]
    ]
    return [rule for rule in (*kept, *less) if rule["resources"] and rule["verbs"]]


def told_kubernetes(case: Case, message: str, verb: str, resource: str) -> None:
    """Verb, resource, whose permission, where, and the binding."""
    space = case.team.namespace
    assert f"{WHO} may not {verb} {resource} in namespace {space!r}" in message
    assert (
        f"kubectl create rolebinding secure-redis-operator --namespace={space} --clusterrole=secure-redis-namespace "
        f"--serviceaccount={RELEASE_NAMESPACE}:{OPERATOR}"
    ) in message


@pytest.fixture
def team(world: World) -> Iterator[Team]:
    found = world.team()
    yield found
    release(world, found)


def test_secrets_may_not_be_patched(case: Case, role: Rules) -> None:
    case.published()
    put(case.world, without(role, "secrets", "patch"))
    case.store(case.keys["Secondary"])
    case.heal("CredentialsSynced", "False", "NamespaceNotBound")
    message = case.condition("CredentialsSynced")[2]
    told_kubernetes(case, message, "patch", "secrets")
    assert "upgrade the chart" in message
    put(case.world, role)
    case.heal()
    assert case.values()["password"] == case.keys["Secondary"]


def test_tokens_may_not_be_asked_for(case: Case, role: Rules) -> None:
    put(case.world, without(role, "serviceaccounts/token", "create"))
    case.exists()
    case.store()
    case.apply()
    message = case.until("CacheAvailable", "Unknown", "NamespaceNotBound")
    told_kubernetes(case, message, "create", "serviceaccounts/token")
    put(case.world, role)
    case.heal()


def test_workloads_may_not_be_patched(case: Case, role: Rules) -> None:
    put(case.world, without(role, "deployments", "patch"))
    web = Target(case, replicas=0)
    case.published(workloads=[web.entry()])
    message = web.until("NoWorkloadRights")
    told_kubernetes(case, message, "patch", "deployments.apps")
    assert "workloads.enabled=true" in message
    put(case.world, role)

    def injected() -> bool:
        case.poke()
        return web.status().get("injected") is True

    wait_for(injected, PATIENCE, "the injection", interval=0.3)
    current(case)
