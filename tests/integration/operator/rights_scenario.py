"""One scenario in which every power is used once, and what was asked of Azure and of the API server meanwhile."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from sandbox import roles
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from sandbox.azure.seeds.storage import blob_data_contributor
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE, render
from sandbox.cluster import AuditEvent
from sandbox.controlplane import ControlPlane
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import AT_SUBSCRIPTION, SUBSCRIPTION, Team, World
from secure_redis.domain.grants import Power
from tests.controlplane import install_crds
from tests.integration.operator.conftest import INTERVALS, leads
from tests.integration.operator.managed_support import PROVISION, PUBLIC, Cluster, managed_team
from tests.integration.operator.persistence_support import VERSION, Persisting
from tests.integration.operator.support import Case, provision
from tests.integration.operator.workload_support import URL, USER, Target, current
from tests.kube import Kube

VALUES: Final[dict[str, Any]] = {"workloads": {"enabled": True}}
SEARCHING: Final[dict[str, Any]] = {"secrets": {"watch": "None", "searchForeign": True}}
KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")


class Right(NamedTuple):
    """One verb on one resource of the API server, the subresource after a slash."""

    group: str
    resource: str
    verb: str


@dataclass
class Lived:
    """The scenario's result: by role, the actions that were authorised; and the operator's requests."""

    azure: dict[str, set[str]] = field(default_factory=dict)
    kubernetes: list[AuditEvent] = field(default_factory=list)


def live(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Lived:
    """Live through the scenario in a world of its own, which has ended when this returns."""
    return _live(tmp_path_factory, hosts, domain, VALUES, VALUES, _Scenario.play)


def live_searching(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Lived:
    """Publish where Secrets are not watched and the namespace's other ones are searched."""
    settings = {"secrets": {"watch": "None"}, "compliance": {"foreignSecrets": True}}
    return _live(tmp_path_factory, hosts, f"search.{domain}", SEARCHING, settings, _Scenario.search)


def _live(
    tmp_path_factory: pytest.TempPathFactory,
    hosts: Path,
    domain: str,
    values: dict[str, Any],
    settings: dict[str, Any],
    play: Callable[["_Scenario"], None],
) -> Lived:
    with ControlPlane(tmp_path_factory.mktemp("plane"), scheduler=False) as plane:
        install_crds(Kube(plane.cluster.kubeconfig))
        directory = tmp_path_factory.mktemp("world")
        world = World(directory, plane.cluster, hosts=hosts, domain=f"rights.{domain}", values=values)
        world.settings = {"intervals": {**INTERVALS, "regenerationSettleSeconds": 1.0}, **settings}
        world.start()
        try:
            mark = (
                plane.cluster.audit_position()
            )  # before it, the installation tries the policies in the operator's name
            world.start_operator()
            wait_for(lambda: leads(world), PATIENCE, "the operator to lead")
            scenario = _Scenario(world)
            play(scenario)
            world.stop_operator()
            plane.check()
            scenario.lived.kubernetes = plane.cluster.audit_events(since=mark, user=USER)
            return scenario.lived
        finally:
            world.stop()


def used(events: Iterable[AuditEvent]) -> set[Right]:
    """The permissions that these requests needed, refused or not. An apply that creates needs both of its verbs."""
    found: set[Right] = set()
    for event in events:
        if not event.resource or event.group == "authorization.k8s.io":
            continue  # every identity may use discovery and ask for its own permissions
        resource = "/".join(filter(None, (event.resource, event.subresource)))
        found.add(Right(event.group, resource, event.verb))
        if event.verb == "patch" and event.code == 201:
            found.add(Right(event.group, resource, "create"))
    return found


def granted(values: dict[str, Any] | None = None) -> set[Right]:
    """The operator's permissions in the rendered chart: in a consenting namespace, in its own and everywhere."""
    documents = render({**(values or VALUES), "namespaces": ["consenting"]})
    rules = {(one["kind"], one["metadata"]["name"]): one["rules"] for one in documents if one["kind"].endswith("Role")}
    found: set[Right] = set()
    for binding in documents:
        ours = any(_is_operator(subject) for subject in binding.get("subjects", ()))
        if not binding["kind"].endswith("RoleBinding") or not ours:
            continue
        for rule in rules[binding["roleRef"]["kind"], binding["roleRef"]["name"]]:
            assert "nonResourceURLs" not in rule
            found |= {
                Right(group, resource, verb)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
    return found


def _is_operator(subject: dict[str, str]) -> bool:
    named = (subject["kind"], subject["name"], subject.get("namespace"))
    return named == ("ServiceAccount", OPERATOR, RELEASE_NAMESPACE)


class _Scenario:
    def __init__(self, world: World) -> None:
        self.world = world
        self.lived = Lived({name: set() for name in roles.NAMES})

    def play(self) -> None:
        """Each power in turn, by an identity that has the roles for it and no others."""
        self._observe()
        self._publish()
        case = self._provision()
        self._correct(case)
        self._rotate(case)
        self._delete(case)
        self._managed()

    def search(self) -> None:
        """A Secret that is published, changed and repaired, and goes; and another one that holds its key."""
        case = Case(self.world, self._team(Power.OBSERVE, Power.PUBLISH_KEY))
        case.published(connection={"deletionPolicy": "Delete"})
        metadata = {"name": "copy", "namespace": case.team.namespace}
        copy = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"old": case.keys["Primary"]}}
        self.world.apply(copy)

        def found() -> bool:
            case.poke()
            return any(one["rule"] == "W2" for one in case.status["compliance"]["findings"])

        wait_for(found, PATIENCE, "the copy to be found", interval=0.3)
        case.edit_secret({"data": {"port": None}})
        case.poke()
        assert case.values()["port"]
        case.delete()
        self.world.await_gone(case.document)

    @contextmanager
    def _using(self, team: Team, *names: str) -> Iterator[None]:
        """Count the actions authorised to the team's identity within as uses of these roles."""
        mark = self.world.control.log.position()
        yield
        observed = {
            action
            for request in self.world.control.log.requests(mark)
            if request.principal == team.object_id
            for action in request.authorized
        }
        for name in names:
            self.lived.azure[name] |= observed & {*roles.role(name).actions, *roles.role(name).data_actions}

    def _team(self, *powers: Power) -> Team:
        return self.world.team(cache_actions=roles.actions(*powers), vault_actions=roles.data_actions(*powers))

    def _observe(self) -> None:
        """A cache, its surroundings, and where its data lie: under the newest key, then under one version."""
        team = self._team(Power.OBSERVE)
        case = Persisting(self.world, team)
        case.persists()
        case.update({"publicNetworkAccess": "Enabled"})  # its firewall rules matter only then
        case.encrypt()
        with self._using(team, "observe"):
            case.apply(key=False)
            case.until("PersistenceEncrypted", "True")
            vault = case.control.endpoints.vault_url(team.name)
            key = {"keyvaulturi": vault, "keyname": "disk", "keyversion": VERSION}
            case.control.storage.update(
                case.account, encryption={"keySource": "Microsoft.Keyvault", "keyvaultproperties": key}
            )
            case.poke()
            case.until("Ready", "True")
            self._observe_managed(team)

    def _observe_managed(self, team: Team) -> None:
        """A cluster of Managed Redis and its database."""
        case = Case(self.world, team, "managed")
        case.control.seed(
            ManagedCluster(
                subscription=SUBSCRIPTION,
                group=team.name,
                name=case.cache,
                properties={"publicNetworkAccess": "Disabled"},
                private_endpoints=(seeds.PrivateEndpoint(name="shop"),),
            )
        )
        case.apply(key=False, resourceID=managed_scope(SUBSCRIPTION, team.name, case.cache))
        case.until("Ready", "True")
        case.until("TransportSecured", "True")

    def _publish(self) -> None:
        """A key that others keep in the vault; the Secret is tampered with, and workloads are given it."""
        team = self._team(Power.OBSERVE, Power.PUBLISH_KEY)
        case = Case(self.world, team)
        targets = [_target(case, kind) for kind in KINDS]
        self._configure(targets[1])
        chosen = {"id": "all", "kind": "Deployment", "selector": {"matchLabels": {"tier": "shop"}}, **URL}
        with self._using(team, "publish-key"):
            case.published(workloads=[*(one.entry() for one in targets[1:]), chosen])
            current(case)
            case.poke()  # past what is remembered, the vault's properties too
        case.world.api.delete(case.must_secret()).must()
        wait_for(lambda: case.secret() is not None, PATIENCE, "the deleted Secret to be back")
        # Where pods would be replaced, budgets are read first. No node runs any, so what follows is not waited for.
        pods, mark = Target(case, "pods", "StatefulSet"), self.world.cluster.audit_position()
        case.change(workloads=[pods.entry()])
        budgets = Right("policy", "poddisruptionbudgets", "list")

        def read() -> bool:
            return budgets in used(self.world.cluster.audit_events(since=mark, user=USER))

        wait_for(read, PATIENCE, "the budgets to be read", interval=0.3)

    def _configure(self, target: Target) -> None:
        """The workload takes a setting from a ConfigMap."""
        metadata = {"name": "settings", "namespace": target.case.team.namespace}
        self.world.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"timeout": "5"}})
        setting = {"name": "TIMEOUT", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "timeout"}}}
        containers = [{"name": "main", "env": [setting]}]
        target.patch({"spec": {"template": {"spec": {"containers": containers}}}})

    def _provision(self) -> Persisting:
        team = self._team(*Power)
        scope = seeds.subscription_scope(SUBSCRIPTION)
        self.world.control.seed(seeds.RoleAssignment(object_id=team.object_id, scope=scope, actions=AT_SUBSCRIPTION))
        case = Persisting(self.world, team)
        case.control.storage.update(case.account, {"allowSharedKeyAccess": True})
        self.world.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "storage", "namespace": team.namespace},
                "type": "secureredis.io/storage-connection",
                "stringData": {"connectionString": case.connection_string()},
            }
        )
        reference = {"authentication": "ConnectionString", "connectionStringSecretRef": {"name": "storage"}}
        vault = {"uri": case.control.endpoints.vault_url(team.name), "secretName": case.cache, "access": "ReadWrite"}
        with self._using(team, "provision", "store-key", "subscription"):
            wanted = provision(
                case,
                provision={
                    "location": "westeurope",
                    "redis": {
                        "sku": {"name": "Premium", "capacity": 1},
                        "maintenanceWindows": [_window("Sunday")],
                    },
                    "identity": {"type": "UserAssigned", "userAssignedIDs": [_identity(case, "first")]},
                },
                persistence={"type": "RDB", "storage": case.storage(**reference)},
                authentication={"keyVault": vault, "rotation": {"otherConsumers": "None"}},
                drift={"correct": ["Security", "Availability"]},
                workloads=[_target(case, "Deployment").entry()],
                connection={"deletionPolicy": "Delete"},
                deletionPolicy="Delete",
            )
            case.apply(**wanted)
            case.until("Ready", "True")
            case.until("DriftDetected", "False", "NoDrift")
            current(case)
        return case

    def _correct(self, case: Persisting) -> None:
        """A port, a rule too many and one too few, other windows; persistence by another identity, not by a key."""
        stranger = seeds.FirewallRule(name="stranger", start="10.0.0.1", end="10.0.0.9")
        with self._using(case.team, "correct", "subscription"):
            case.update({"enableNonSslPort": True}, firewall_rules=(stranger,))
            case.change(
                provision={
                    "identity": {"userAssignedIDs": [_identity(case, "first"), _identity(case, "second")]},
                    "redis": {"maintenanceWindows": [_window("Monday")]},
                },
                persistence={"storage": {"authentication": "ManagedIdentity", "connectionStringSecretRef": None}},
            )
            case.until("DriftDetected", "True", "StorageRoleMissing")
            found = case.control.redis.get(case.cache)
            assert found is not None
            for one in found["identity"]["userAssignedIdentities"].values():
                case.control.seed(blob_data_contributor(one["principalId"], case.account_id))
            case.poke()
            case.until("DriftDetected", "False", "NoDrift")

    def _rotate(self, case: Persisting) -> None:
        with self._using(case.team, "rotate"):
            case.annotate(rotate="asked")

            def answered() -> bool:
                return bool(case.status.get("lastHandled", {}).get("rotate") == "asked")

            wait_for(answered, PATIENCE, "the rotation's end")

    def _delete(self, case: Persisting) -> None:
        with self._using(case.team, "delete", "subscription"):
            case.annotate(confirm_delete=case.cache)
            case.delete()
            self.world.await_gone(case.document)

    def _managed(self) -> None:
        """A Managed Redis: its first creation finds no capacity, then it is scaled, rotated and deleted."""
        case = Cluster(self.world, managed_team(self.world), "managed")
        managed = PROVISION["managedRedis"]
        vault = {"uri": case.control.endpoints.vault_url(case.team.name), "secretName": case.cache}
        rotation = {"otherConsumers": "None"}
        case.control.managed_redis.run_out_of_capacity(1)
        with self._using(case.team, "provision", "publish-key", "store-key", "subscription"):
            case.declare(
                **PUBLIC,
                authentication={"keyVault": {**vault, "access": "ReadWrite"}, "rotation": rotation},
                drift={"correct": ["Availability"]},
                deletionPolicy="Delete",
            )
            case.until("CacheAvailable", "False", "InsufficientCapacity")
            case.heal()
        with self._using(case.team, "observe"):
            case.poke()
        with self._using(case.team, "correct"):
            case.annotate(allow_disruption="provision.managedRedis.sku")
            case.change(provision={"managedRedis": {**managed, "sku": "Balanced_B10", "evictionPolicy": "AllKeysLRU"}})
            case.until("DriftDetected", "False", "NoDrift")
        with self._using(case.team, "rotate"):
            case.annotate(rotate="requested")

            def answered() -> bool:
                return bool(case.status.get("lastHandled", {}).get("rotate") == "requested")

            wait_for(answered, PATIENCE, "the rotation's end")
        with self._using(case.team, "delete"):
            case.annotate(confirm_delete=case.cache)
            case.delete()
            self.world.await_gone(case.document)


def _target(case: Case, kind: str) -> Target:
    """A workload of that kind without pods: nothing runs here."""
    replicas: dict[str, Any] = {"replicas": 0} if kind in ("Deployment", "StatefulSet") else {}
    return Target(case, kind.lower(), kind, **replicas)


def _window(day: str) -> dict[str, Any]:
    return {"day": day, "startHourUTC": 2, "durationHours": 6}


def _identity(case: Case, name: str) -> str:
    return f"{case.team.group_scope}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
