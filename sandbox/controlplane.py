"""A real Kubernetes control plane on loopback: etcd, API server, controller manager and scheduler."""

import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.cluster import ADMIN, DESCRIPTION, Cluster, write_private
from sandbox.processes import Child, kill_all
from sandbox.toolchain import DEFAULT_VERSION, control_plane_binaries
from sandbox.waiting import wait_for

# A name that is neither kubernetes.default.svc nor resolvable: a client that trusts it must be configured to.
ISSUER = "https://issuer.sandbox.test/cluster"
READY_TIMEOUT = 60.0
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""
_CONTROLLERS = "kube-controller-manager"
_SCHEDULER = "kube-scheduler"


class _Port:
    """A loopback port that stays reserved before and after a server has bound it.

    Bound with SO_REUSEPORT and never listening: the kernel assigns it to no other socket, while our server that sets
    SO_REUSEPORT too may bind and listen. So there is no moment in which another process could grab it.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        self._socket.close()


class ControlPlane:
    """Runs one control plane in `directory`, which contains its data, logs, keys and kubeconfigs.

    Without `controllers` nothing acts on objects (no default ServiceAccounts, no rollouts, namespaces never finish
    terminating); that is enough for schema and admission tests. A directory serves one start: state does not survive.
    """

    def __init__(
        self,
        directory: Path,
        *,
        version: str = DEFAULT_VERSION,
        controllers: bool = True,
        scheduler: bool = True,
        audit: bool = True,
    ) -> None:
        self.directory = directory.absolute()
        self.version = version
        self._controllers = controllers
        self._scheduler = scheduler
        self._audit = audit
        self._ports: list[_Port] = []
        self._children: list[Child] = []
        self._cluster: Cluster | None = None
        self._store: tuple[tuple[Path, list[str]], ...] = ()  # etcd and the API server, as they were started

    @property
    def cluster(self) -> Cluster:
        """Return the running cluster. Raises RuntimeError before `start`."""
        if self._cluster is None:
            raise RuntimeError("the control plane is not started")
        return self._cluster

    @property
    def pids(self) -> dict[str, int]:
        """Return the process ids by program name."""
        return {child.name: child.pid for child in self._children}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Cluster:
        """Start everything and wait until it serves (a few seconds; minutes if the programs must be built first).

        Raises ToolchainError if a program cannot be had, ProcessError with the log's end if one ends immediately, and
        TimeoutError. It stops all that it started before it raises.
        """
        if self._children:
            raise RuntimeError(f"the control plane in {self.directory} is already started")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self.cluster

    def stop(self) -> None:
        """Kill all processes. SIGTERM would take a minute: the API server waits for open watches to end."""
        (self.directory / DESCRIPTION).unlink(missing_ok=True)
        kill_all(self._children)
        self._children.clear()
        for port in self._ports:
            port.release()
        self._ports.clear()
        self._cluster = None
        for data in ("etcd", "etcd-backup"):  # 64 MB at least, and of no use to anyone
            shutil.rmtree(self.directory / data, ignore_errors=True)

    def back_up(self) -> Path:
        """Stop etcd and the API server, copy etcd's data and start both again. Returns the copy."""
        copy = self.directory / "etcd-backup"
        self._without_etcd(lambda: shutil.copytree(self.directory / "etcd", copy, dirs_exist_ok=True))
        return copy

    def restore(self, backup: Path) -> None:
        """Put etcd's data back to a copy. Everything that was written since is lost, and so are the revisions."""

        def replace() -> None:
            shutil.rmtree(self.directory / "etcd")
            shutil.copytree(backup, self.directory / "etcd")

        self._without_etcd(replace)

    def check(self) -> None:
        """Raise ProcessError, with the end of its log, if one of the processes has ended."""
        for child in self._children:
            child.check()

    def _start(self) -> None:
        binaries = control_plane_binaries(self.version, controllers=self._controllers, scheduler=self._scheduler)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        etcd_client, etcd_peer, api = self._reserve(), self._reserve(), self._reserve()
        tokens = {name: secrets.token_urlsafe(32) for name in (ADMIN, _CONTROLLERS, _SCHEDULER)}
        self._write_keys(tokens)
        cluster = Cluster(self.directory, self.version, api, tokens[ADMIN], ISSUER)
        cluster.kubeconfig_for(tokens[ADMIN], "admin")
        self._store = (
            (binaries["etcd"], self._etcd_flags(etcd_client, etcd_peer)),
            # The API server retries until etcd listens.
            (binaries["kube-apiserver"], self._api_flags(etcd_client, api)),
        )
        for program, flags in self._store:
            self._run(program, *flags)
        wait_for(lambda: self._ready(cluster, "/readyz"), READY_TIMEOUT, "the API server to be ready")
        common = ["--leader-elect=false", "--secure-port=0"]
        if self._controllers:
            config = cluster.kubeconfig_for(tokens[_CONTROLLERS], _CONTROLLERS)
            self._run(binaries[_CONTROLLERS], f"--kubeconfig={config}", *common, *self._controller_flags())
        if self._scheduler:
            config = cluster.kubeconfig_for(tokens[_SCHEDULER], _SCHEDULER)
            self._run(binaries[_SCHEDULER], f"--kubeconfig={config}", *common)
        wait_for(lambda: self._ready(cluster, "/api/v1/namespaces/default"), READY_TIMEOUT, "the namespace `default`")
        if self._controllers:
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            wait_for(lambda: self._ready(cluster, account), READY_TIMEOUT, "the controller manager to work")
        cluster.save()
        self._cluster = cluster

    def _without_etcd(self, change: Callable[[], object]) -> None:
        programs = {program.name for program, _ in self._store}
        stopped = [child for child in self._children if child.name in programs]
        kill_all(stopped)
        self._children = [child for child in self._children if child not in stopped]
        change()
        for program, flags in self._store:
            self._run(program, *flags)
        wait_for(lambda: self._ready(self.cluster, "/readyz"), READY_TIMEOUT, "the API server to be ready again")

    def _reserve(self) -> int:
        self._ports.append(_Port())
        return self._ports[-1].number

    def _run(self, binary: Path, *flags: str) -> None:
        self._children.append(Child([binary, *flags], self.directory / f"{binary.name}.log", cwd=self.directory))

    def _ready(self, cluster: Cluster, path: str) -> bool:
        self.check()
        try:
            return cluster.raw_request("GET", path, timeout=5)[0] == 200
        except OSError:
            return False

    def _write_keys(self, tokens: dict[str, str]) -> None:
        authority = trustme.CA(organization_name="secure-redis sandbox")
        authority.cert_pem.write_to_path(self.directory / "ca.pem")
        serving = authority.issue_cert("127.0.0.1", "localhost", "kubernetes.default.svc", "10.0.0.1")
        write_private(self.directory / "tls.key", serving.private_key_pem.bytes().decode())
        (self.directory / "tls.pem").write_bytes(b"".join(pem.bytes() for pem in serving.cert_chain_pems))
        signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = signer.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self.directory / "sa.key", private.decode())
        public = signer.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.directory / "sa.pub").write_bytes(public)
        lines = [
            f'{tokens[ADMIN]},{ADMIN},{ADMIN},"system:masters"',
            f"{tokens[_CONTROLLERS]},system:{_CONTROLLERS},{_CONTROLLERS}",
            f"{tokens[_SCHEDULER]},system:{_SCHEDULER},{_SCHEDULER}",
        ]
        write_private(self.directory / "tokens.csv", "\n".join(lines) + "\n")
        (self.directory / "audit-policy.yaml").write_text(_AUDIT_POLICY)

    def _etcd_flags(self, client: int, peer: int) -> list[str]:
        return [
            "--name=sandbox",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=sandbox=http://127.0.0.1:{peer}",
            "--socket-reuse-port=true",
            "--unsafe-no-fsync",  # data loss in a crash does not matter here
            "--log-level=warn",
        ]

    def _api_flags(self, etcd: int, port: int) -> list[str]:
        home = self.directory
        flags = [
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            "--permit-port-sharing=true",
            f"--tls-cert-file={home / 'tls.pem'}",
            f"--tls-private-key-file={home / 'tls.key'}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={home / 'sa.pub'}",
            f"--service-account-signing-key-file={home / 'sa.key'}",
            "--authorization-mode=RBAC",
            "--anonymous-auth=false",
            f"--token-auth-file={home / 'tokens.csv'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--allow-privileged=true",
            "--endpoint-reconciler-type=none",
        ]
        if self._audit:
            flags += [
                f"--audit-policy-file={home / 'audit-policy.yaml'}",
                f"--audit-log-path={home / 'audit.log'}",
                "--audit-log-maxsize=4096",  # MB: never rotated while a test reads it
            ]
        return flags

    def _controller_flags(self) -> list[str]:
        return [
            f"--service-account-private-key-file={self.directory / 'sa.key'}",
            f"--root-ca-file={self.directory / 'ca.pem'}",
            "--use-service-account-credentials",
            "--controllers=*,-nodeipam,-cloud-node-lifecycle",
            "--node-monitor-grace-period=3600s",  # no kubelet renews leases here
            # The default (20 a second) makes the start 4 s longer: each controller first gets a token of its own.
            "--kube-api-qps=1000",
            "--kube-api-burst=1000",
        ]
