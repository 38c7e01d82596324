"""A complete test world: a control plane, a simulated Azure, and the operator with the chart's permissions.

Tests, demo and benchmarks use it, so that all of them see the same things.
"""

import os
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox import names, roles
from sandbox.api import Api, Document
from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.simulator import AzureSimulator
from sandbox.chart.install import OPERATOR, STATUS_WRITERS, install
from sandbox.chart.render import RELEASE_NAMESPACE, ROOT
from sandbox.cluster import Cluster
from sandbox.processes import Child
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.domain.grants import Power

# An operator ends when it cannot renew its Lease, so these are longer than a busy machine keeps it from that.
LEASE: dict[str, Any] = {
    "namespace": RELEASE_NAMESPACE,
    "leaseDurationSeconds": 10,
    "renewDeadlineSeconds": 8,
    "retryPeriodSeconds": 1,
}
TENANT = "7e000000-0000-4000-8000-000000000001"
OTHER_TENANT = "7e000000-0000-4000-8000-000000000002"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
API_VERSION = "secureredis.io/v1alpha1"

# The actions that the roles of examples/azure/roles hold, and no others: the suites run under exactly these.
CACHE_READ = roles.actions(Power.OBSERVE)
CACHE_KEYS = roles.actions(Power.PUBLISH_KEY)
CACHE_WRITE = roles.actions(Power.PROVISION, Power.CORRECT, Power.DELETE)
CACHE_ROTATE = roles.actions(Power.ROTATE)
VAULT_READ = roles.data_actions(Power.PUBLISH_KEY)
VAULT_WRITE = roles.data_actions(Power.STORE_KEY, Power.ROTATE)
AT_SUBSCRIPTION = roles.role(roles.SUBSCRIPTION).actions


@dataclass(frozen=True)
class Team:
    """A namespace, its Azure identity, its resource group and its vault; all of one name."""

    name: str
    namespace: str
    client_id: str
    object_id: str
    service_account: str = "secure-redis"

    @property
    def group_scope(self) -> str:
        """Return the ARM id of the team's resource group."""
        return seeds.group_scope(SUBSCRIPTION, self.name)

    @property
    def vault_scope(self) -> str:
        """Return the ARM id of the team's vault."""
        return seeds.vault_scope(SUBSCRIPTION, self.name, self.name)

    def cache_id(self, cache: str) -> str:
        """Return the ARM id of a cache in the team's group, as a user writes it."""
        return seeds.cache_scope(SUBSCRIPTION, self.name, cache)


@dataclass
class World:
    """Start with a running `cluster` that serves the CRD; `directory` takes files and logs."""

    directory: Path
    cluster: Cluster
    redis: bool = True
    hosts: Path | None = None
    domain: str = "sandbox.test"
    settings: dict[str, Any] = field(default_factory=dict)  # put over the operator's configuration
    values: Document = field(default_factory=dict)  # of the chart

    def __post_init__(self) -> None:
        """Create the clients. Nothing runs yet."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.api = Api(self.cluster)
        self.azure = AzureSimulator(self.directory / "azure", redis=self.redis, hosts=self.hosts, domain=self.domain)
        self.operator: Child | None = None

    @property
    def control(self) -> Control:
        """Return the simulated Azure's control port."""
        return self.azure.control

    def start(self, *, chart: bool = True) -> None:
        """Start Azure with its tenants and the subscription, and (`chart`) install the chart's roles and policies."""
        control = self.azure.start()
        control.seed(
            seeds.Tenant(id=TENANT, domain="shop.test"),
            seeds.Tenant(id=OTHER_TENANT, domain="other.test", redis_customer=False),
            seeds.Issuer(
                issuer=self.cluster.service_account_issuer, keys=(self.cluster.service_account_public_key_pem,)
            ),
            seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT),
        )
        if chart:
            self.install_chart()

    def install_chart(self) -> None:
        """Install the chart's roles and policies with this world's values."""
        policies = {"statusWriters": list(STATUS_WRITERS), **self.values.get("policies", {})}
        install(self.api, {**self.values, "policies": policies})

    def stop(self) -> None:
        """End the operator and Azure. The cluster keeps running."""
        self.stop_operator()
        self.azure.stop()

    # --- the operator -----------------------------------------------------------------------------------------------

    def configuration(self) -> Document:
        """Return the operator's configuration for this world: short intervals, everything else as shipped."""
        where = self.control.endpoints
        base: Document = {
            "cloud": {
                "name": "Custom",
                "custom": {
                    "resourceManager": where.management,
                    "resourceManagerScope": where.management_scope,
                    "authority": where.authority,
                    "vaultSuffixes": [where.vault_suffix],
                    "redisSuffixes": [where.redis_suffix],
                    "managedRedisSuffixes": [where.managed_redis_suffix],
                },
            },
            "caBundle": str(where.ca_file),
            "publishCABundle": True,
            "leaderElection": LEASE,
            "intervals": {"absenceConfirmationSeconds": 0.5, "operationPollSeconds": 0.2},
            "health": {"port": 0},
            "logging": {"level": "DEBUG"},
        }
        return {**base, **self.settings}

    def start_operator(self, kubeconfig: Path | None = None, **settings: Any) -> Child:
        """Start the operator with the permissions that the chart gives it, and no others."""
        config = self.directory / "operator.yaml"
        config.write_text(yaml.safe_dump({**self.configuration(), **settings}))
        kubeconfig = kubeconfig or self.cluster.service_account_kubeconfig(RELEASE_NAMESPACE, OPERATOR)
        argv: list[str] = [
            *(sys.executable, "-m", "secure_redis", "run"),
            *("--config", str(config), "--kubeconfig", str(kubeconfig)),
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)])}
        self.operator = Child(
            names.wrap(argv, self.control.endpoints.hosts_file), self.operator_log, name="operator", env=environment
        )
        return self.operator

    @property
    def operator_log(self) -> Path:
        """Return the path of the output of all operators of this world."""
        return self.directory / "operator.log"

    def stop_operator(self, *, kill: bool = False) -> None:
        """End the operator as Kubernetes does, or (`kill`) as a crash does."""
        if self.operator is None:
            return
        if kill:
            self.operator.kill()
        else:
            self.operator.terminate(30)
        self.operator = None

    # --- teams ------------------------------------------------------------------------------------------------------

    def team(
        self,
        name: str | None = None,
        *,
        bound: bool = True,
        service_account: str = "secure-redis",
        allow: str = "*",
        cache_actions: tuple[str, ...] = CACHE_READ + CACHE_KEYS,
        vault_actions: tuple[str, ...] = VAULT_READ,
    ) -> Team:
        """Create a consenting namespace, an identity federated with its ServiceAccount, a group and a vault."""
        name = name or f"team-{uuid.uuid4().hex[:8]}"
        team = Team(name, name, str(uuid.uuid4()), str(uuid.uuid4()), service_account)
        federation = seeds.Federation(
            issuer=self.cluster.service_account_issuer,
            subject=f"system:serviceaccount:{team.namespace}:{service_account}",
        )
        self.control.seed(
            seeds.App(tenant=TENANT, client_id=team.client_id, object_id=team.object_id, federations=(federation,)),
            seeds.Group(subscription=SUBSCRIPTION, name=name),
            seeds.Vault(name=name, tenant=TENANT, subscription=SUBSCRIPTION, group=name),
            seeds.RoleAssignment(object_id=team.object_id, scope=team.group_scope, actions=cache_actions),
            seeds.RoleAssignment(object_id=team.object_id, scope=team.vault_scope, data_actions=vault_actions),
        )
        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team.namespace}}).must()
        self.service_account(team, service_account, allow=allow)
        if bound:
            self.bind(team.namespace)
        return team

    def service_account(self, team: Team, name: str, *, allow: str | None = "*", annotated: bool = True) -> None:
        """Create a ServiceAccount of the team, annotated for its Azure identity and (with `allow`) consenting."""
        annotations: dict[str, str] = {}
        if annotated:
            annotations["azure.workload.identity/client-id"] = team.client_id
            annotations["azure.workload.identity/tenant-id"] = TENANT
        if allow is not None:
            annotations["secureredis.io/allow"] = allow
        metadata = {"name": name, "namespace": team.namespace, "annotations": annotations}
        self.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}).must()

    def bind(self, namespace: str) -> None:
        """Consent, as the owner of a namespace, that the operator works in it."""
        self.api.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "secure-redis-operator", "namespace": namespace},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "secure-redis-namespace",
                },
                "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": RELEASE_NAMESPACE}],
            }
        ).must()

    def cache(self, team: Team, name: str, **changes: Any) -> seeds.Cache:
        """Create a safe cache of the team: TLS 1.2, no plaintext port, reachable by a private endpoint only."""
        properties = {"minimumTlsVersion": "1.2", "publicNetworkAccess": "Disabled", **changes.pop("properties", {})}
        endpoints = changes.pop("private_endpoints", (seeds.PrivateEndpoint(name="shop"),))
        cache = seeds.Cache(
            subscription=SUBSCRIPTION,
            group=team.name,
            name=name,
            properties=properties,
            private_endpoints=endpoints,
            **changes,
        )
        self.control.seed(cache)
        return cache

    def store_key(self, team: Team, cache: str, secret: str | None = None, slot: str = "Primary") -> str:
        """Store one of the cache's keys in the team's vault. Returns the version."""
        key = self.control.redis.keys(cache)[slot]
        return self.control.keyvault.set_secret(team.name, secret or cache, seeds.SecretVersion(value=key))

    # --- resources --------------------------------------------------------------------------------------------------

    def resource(self, team: Team, name: str, *, key: str | None = None, **spec: Any) -> Document:
        """Return a SecureRedisCache of the team for its cache of that name; `key` is the vault secret that it reads."""
        spec.setdefault("resourceID", team.cache_id(name))
        if key is not None:
            uri = self.control.endpoints.vault_url(team.name)
            spec.setdefault("authentication", {"keyVault": {"uri": uri, "secretName": key}})
        metadata = {"name": name, "namespace": team.namespace}
        return {"apiVersion": API_VERSION, "kind": "SecureRedisCache", "metadata": metadata, "spec": spec}

    def apply(self, document: Document) -> Document:
        """Apply a document as its author. Returns the answer of the API server."""
        return self.api.apply(document).must()

    def get(self, document: Document) -> Document | None:
        """Return the current object, or None if it is deleted."""
        return self.api.find(document)

    def secret(self, namespace: str, name: str) -> Document | None:
        """Return a Secret, or None if it does not exist."""
        return self.api.find({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}})

    def condition(self, document: Document, kind: str) -> tuple[str, str, str] | None:
        """Return status, reason and message of a condition; None if it is missing or of an older generation.

        A message that refers to another condition (`see Ready`) is replaced by that one's.
        """
        found = self.get(document) or {}
        conditions = {one["type"]: one for one in found.get("status", {}).get("conditions", [])}
        condition = conditions.get(kind)
        if condition is None or condition.get("observedGeneration") != found["metadata"]["generation"]:
            return None
        message = str(condition.get("message", ""))
        explained_by = conditions.get(message.removeprefix("see "), condition)
        return condition["status"], condition["reason"], str(explained_by.get("message", ""))

    def await_condition(
        self, document: Document, kind: str, status: str, reason: str | None = None, timeout: float = PATIENCE
    ) -> str:
        """Wait for a condition of the current generation. Returns its message."""

        def reached() -> tuple[str, str, str] | None:
            found = self.condition(document, kind)
            return found if found and found[0] == status and reason in (None, found[1]) else None

        name = document["metadata"]["name"]
        try:
            return wait_for(reached, timeout, f"{kind}={status}/{reason or '*'} of {name}")[2]
        except TimeoutError as error:
            found = self.get(document) or {}
            conditions = [
                f"{c['type']}={c['status']}/{c['reason']}: {c.get('message', '')}"
                for c in found.get("status", {}).get("conditions", [])
            ]
            raise TimeoutError(f"{error}; it is {conditions}") from None

    def await_gone(self, document: Document, timeout: float = PATIENCE) -> None:
        """Wait until the object is deleted."""
        wait_for(lambda: self.get(document) is None, timeout, f"{document['metadata']['name']} to be gone")
