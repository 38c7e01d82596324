"""External Secrets: its objects for a fleet, and its process.

Each vault has a SecretStore (workload identity, custom cloud), and each resource has an ExternalSecret that reads the
resource's vault secret. Identities, vaults and permissions are those that the operator has.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks import requests
from benchmarks.fleet import Member
from benchmarks.kube import all_of
from benchmarks.process import Process, free_port
from benchmarks.public_login import PublicLogin
from sandbox import names
from sandbox.processes import Child
from sandbox.waiting import wait_for
from sandbox.world import TENANT, World
from secure_redis.kube import paths
from secure_redis.kube.client import KubeClient

_GROUP: Final = "external-secrets.io/v1"
_ACCOUNT: Final = "external-secrets"  # its ServiceAccount, in a namespace of the same name
_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_KEY: Final = "password"  # in the Secret
# What its chart passes, but with loopback ports. The flags of a raised rate come after these, and the last one counts.
_AS_SHIPPED: Final = ("--concurrent=1", "--loglevel=info", "--zap-time-encoding=epoch")


class ExternalSecrets:
    """The peer `binary` in a world, with `flags` beside those of its chart."""

    user: Final = f"system:serviceaccount:{_ACCOUNT}:{_ACCOUNT}"
    path: Final = f"/apis/{_GROUP}/externalsecrets"

    def __init__(self, world: World, members: Sequence[Member], binary: Path, flags: Sequence[str]) -> None:
        self._world = world
        self._members = members
        self._binary = binary
        self._flags = flags
        self._login: PublicLogin | None = None
        self._child: Child | None = None
        self._position = 0
        self._reads = 0

    @staticmethod
    def is_ready(body: Mapping[str, Any]) -> bool:
        """Return whether an ExternalSecret is Ready. Its Secret is written before."""
        conditions = (body.get("status") or {}).get("conditions") or ()
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def install(self, crds: Path) -> None:
        """Apply its CRDs, and bind its ServiceAccount to the role of an administrator.

        Raises:
            RuntimeError: its host names would not resolve here.

        """
        if not names.allowed():
            raise RuntimeError(
                "A static Go program resolves the simulator's names in a mount namespace only: run as root."
            )
        api = self._world.api
        wanted = [one for one in yaml.safe_load_all(crds.read_text()) if one]
        for document in wanted:
            api.apply(document).must()
        wait_for(lambda: all(self._served(one) for one in wanted), 60, "the peer's CRDs to be served", 0.5)
        account = {"name": _ACCOUNT, "namespace": _ACCOUNT}
        rbac = "rbac.authorization.k8s.io"
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _ACCOUNT}}).must()
        api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}).must()
        api.apply(
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": _ACCOUNT},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", **account}],
            }
        ).must()

    async def create(self, kube: KubeClient) -> None:
        """Create one SecretStore per vault, and one ExternalSecret per resource."""
        vaults = sorted({(one.team.namespace, one.team.service_account, one.vault) for one in self._members})
        stores = (self._store(*vault) for vault in vaults)
        await all_of(kube.create(self._path("secretstores", one), one) for one in stores)
        documents = (self._document(one) for one in self._members)
        await all_of(kube.create(self._path("externalsecrets", one), one) for one in documents)

    def start(self) -> Process:
        """Start it. Other than in a cluster, its ports are on loopback and free ones."""
        world, where = self._world, self._world.control.endpoints
        self._login = PublicLogin(where, world.directory)
        environment = {
            "KUBECONFIG": str(world.cluster.service_account_kubeconfig(_ACCOUNT, _ACCOUNT)),
            "SSL_CERT_FILE": str(where.ca_file),
            **self._login.environment(),
        }
        ports = (f"--metrics-addr=127.0.0.1:{free_port()}", f"--live-addr=127.0.0.1:{free_port()}")
        argv = [str(self._binary), *_AS_SHIPPED, *self._flags, *ports]
        self._position = world.control.log.position()
        self._child = Child(argv, world.directory / "peer.log", name="peer", env=environment)
        return Process(self._child)

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.check()
            self._child.terminate(30)
        if self._login is not None:
            self._login.stop()

    def looks(self) -> float:
        """Return how often it has read a value of a vault since its start: once for each check of an object."""
        found = self._world.control.log.requests(self._position)
        if found:
            self._position = found[-1].number
        self._reads += requests.azure_calls(found).values
        return float(self._reads)

    async def prove(self, kube: KubeClient) -> None:
        """Compare every Secret with the key that is in its vault.

        Raises:
            RuntimeError: some Secrets are not there, or hold something else.

        """
        listed = (await kube.list(paths.secrets())).items
        held = {(one["metadata"]["namespace"], one["metadata"]["name"]): one.get("data", {}) for one in listed}
        wrong = [
            one.name
            for one in self._members
            if held.get((one.team.namespace, one.name), {}).get(_KEY) != base64.b64encode(one.key.encode()).decode()
        ]
        if wrong:
            raise RuntimeError(f"{len(wrong)} Secrets do not hold the key: {', '.join(wrong[:5])}")

    async def rest(self, kube: KubeClient, seconds: int) -> None:
        """Shorten the interval of all objects, with one edit each."""
        edit = {"spec": {"refreshInterval": f"{seconds}s"}}
        documents = (self._document(one) for one in self._members)
        await all_of(
            kube.patch(
                f"{self._path('externalsecrets', one)}/{one['metadata']['name']}", edit, "merge", field_manager="author"
            )
            for one in documents
        )

    def _served(self, crd: Mapping[str, Any]) -> bool:
        answer = self._world.api.get(f"{_CRDS}/{crd['metadata']['name']}")
        conditions = (answer.body.get("status") or {}).get("conditions") or ()
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    @staticmethod
    def _path(plural: str, document: Mapping[str, Any]) -> str:
        return f"/apis/{_GROUP}/namespaces/{document['metadata']['namespace']}/{plural}"

    def _store(self, namespace: str, account: str, vault: str) -> dict[str, Any]:
        where = self._world.control.endpoints
        azure = {
            "authType": "WorkloadIdentity",
            "serviceAccountRef": {"name": account},
            "tenantId": TENANT,
            "vaultUrl": where.vault_url(vault),
            "useAzureSDK": True,
            "environmentType": "AzureStackCloud",
            "customCloudConfig": {
                "activeDirectoryEndpoint": where.authority,
                "resourceManagerEndpoint": where.management,
                "keyVaultDNSSuffix": where.vault_suffix,
            },
        }
        return {
            "apiVersion": _GROUP,
            "kind": "SecretStore",
            "metadata": {"name": vault, "namespace": namespace},
            "spec": {"provider": {"azurekv": azure}},
        }

    @staticmethod
    def _document(member: Member) -> dict[str, Any]:
        return {
            "apiVersion": _GROUP,
            "kind": "ExternalSecret",
            "metadata": {"name": member.name, "namespace": member.team.namespace},
            "spec": {
                "secretStoreRef": {"kind": "SecretStore", "name": member.vault},
                "data": [{"secretKey": _KEY, "remoteRef": {"key": member.name}}],
            },
        }
