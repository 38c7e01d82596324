"""Two operators with different identities, so that the audit log shows whose a request was."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from sandbox import names
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE, ROOT
from sandbox.processes import Child
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World

RBAC = "/apis/rbac.authorization.k8s.io/v1"
_INTERVAL = 0.02  # seconds between two reads of a log


class Replica:
    """One operator process of an identity. `user` is its name in the audit log."""

    def __init__(self, world: World, account: str, **settings: Any) -> None:
        self.user = f"system:serviceaccount:{RELEASE_NAMESPACE}:{account}"
        directory = Path(tempfile.mkdtemp(prefix="replica-", dir=world.directory))
        config, self.log = directory / "config.yaml", directory / "log"
        config.write_text(yaml.safe_dump({**world.configuration(), **settings}))
        kubeconfig = world.cluster.service_account_kubeconfig(RELEASE_NAMESPACE, account)
        argv: list[str] = [sys.executable, "-m", "secure_redis", "run"]
        argv += ["--config", str(config), "--kubeconfig", str(kubeconfig)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)])}
        self.started = time.monotonic()
        self.child = Child(
            names.wrap(argv, world.control.endpoints.hosts_file), self.log, name=account, env=environment
        )

    def count(self, message: str) -> int:
        """Return how often it logged this message."""
        lines = (line for line in self.log.read_text(errors="replace").splitlines() if line.startswith("{"))
        return sum(_message(line) == message for line in lines)

    def await_said(self, message: str, timeout: float = PATIENCE) -> float:
        """Return when (monotonic, to 20 ms) it had logged this message. Raises TimeoutError, ProcessError."""

        def logged() -> bool:
            self.child.check()
            return self.count(message) > 0

        wait_for(logged, timeout, f"{self.child.name} to say {message!r}", interval=_INTERVAL)
        return time.monotonic()


def second_account(world: World) -> str:
    """Return a second ServiceAccount with all permissions of the operator. Returns its name."""
    name = f"{OPERATOR}-other"
    metadata = {"name": name, "namespace": RELEASE_NAMESPACE}
    world.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}).must()
    other = {"kind": "ServiceAccount", **metadata}
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding in world.api.get(f"{RBAC}/{kind.lower()}s").must()["items"]:
            subjects = binding.get("subjects") or []
            if other not in subjects and any(one.get("name") == OPERATOR for one in subjects):
                document = {"apiVersion": RBAC.removeprefix("/apis/"), "kind": kind, **binding}
                world.api.merge(document, {"subjects": [*subjects, other]}).must()
    return name


def writes_of(world: World, replica: Replica, position: int) -> list[str]:
    """Return all writes of a replica to the API server after an audit position, its Lease included."""
    marker = f"/api/v1/namespaces/{RELEASE_NAMESPACE}/configmaps/marker-{time.monotonic_ns()}"
    world.api.get(marker)
    wait_for(
        lambda: world.cluster.audit_events(since=position, where=lambda event: event.uri.startswith(marker)),
        20,
        "the audit log to have caught up",
    )
    events = world.cluster.audit_events(since=position, user=replica.user, where=lambda event: event.is_write)
    return [f"{event.verb} {event.uri}: {event.code}" for event in events]


def _message(line: str) -> object:
    try:
        return json.loads(line).get("message")
    except ValueError:
        return None
