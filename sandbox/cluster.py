"""Access to a running control plane: address, credentials, kubeconfigs, audit log."""

import base64
import dataclasses
import http.client
import json
import ssl
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

ADMIN = "sandbox-admin"
DESCRIPTION = "cluster.json"


class ClusterError(RuntimeError):
    """The API server refused or could not be reached."""


@dataclasses.dataclass(frozen=True)
class AuditEvent:
    """One request in the API server's audit log (level Metadata: no bodies).

    An apply that creates is `patch` with code 201.
    """

    id: str
    verb: str
    user: str
    uri: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    user_agent: str
    at: str
    received: str

    @property
    def is_write(self) -> bool:
        """Return whether the request can change a stored object."""
        asked_only = self.subresource == "token" or self.group in ("authorization.k8s.io", "authentication.k8s.io")
        return (
            not asked_only
            and "dryRun=" not in self.uri
            and self.verb in ("create", "update", "patch", "delete", "deletecollection")
        )


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A control plane's files and addresses. It owns no process: any process on this machine may `load` it."""

    directory: Path
    version: str
    port: int
    admin_token: str = dataclasses.field(repr=False)
    service_account_issuer: str

    @classmethod
    def load(cls, directory: Path) -> "Cluster":
        """Load the cluster that a `ControlPlane` has started in `directory`. Raises FileNotFoundError if none was."""
        facts = json.loads((directory / DESCRIPTION).read_text())
        return cls(directory=directory, **facts)

    def save(self) -> None:
        """Write what `load` reads, whole or not at all."""
        facts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "directory"}
        write_private(self.directory / DESCRIPTION, json.dumps(facts))

    @property
    def server(self) -> str:
        """Return the API server's URL."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_pem(self) -> str:
        """Return the certificate authority of the API server."""
        return (self.directory / "ca.pem").read_text()

    @property
    def service_account_public_key_pem(self) -> str:
        """Return the RSA public key that verifies ServiceAccount tokens (RS256) of `service_account_issuer`."""
        return (self.directory / "sa.pub").read_text()

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.directory / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """Return the audit log: one JSON event a line."""
        return self.directory / "audit.log"

    def kubeconfig_for(self, token: str, name: str, namespace: str = "default") -> Path:
        """Write a kubeconfig that presents `token`; `name` names the user and the file. Readable by us alone."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "sandbox",
                    "cluster": {
                        "server": self.server,
                        "certificate-authority-data": base64.b64encode(self.ca_pem.encode()).decode(),
                    },
                }
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": name, "namespace": namespace}}],
            "current-context": "sandbox",
        }
        path = self.directory / f"{name.replace(':', '.').replace('/', '.')}.kubeconfig"
        write_private(path, yaml.safe_dump(document))
        return path

    def service_account_token(
        self, namespace: str, name: str, audiences: Sequence[str] = (), expiration_seconds: int = 3600
    ) -> str:
        """Request a token of the ServiceAccount. Without an audience: the API server's own. Raises ClusterError."""
        spec = {"audiences": list(audiences), "expirationSeconds": expiration_seconds}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", body)
        return str(answer["status"]["token"])

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Write a kubeconfig with the permissions of this ServiceAccount, and no others. Raises ClusterError."""
        # A day: a sandbox that keeps running has no one to renew it.
        token = self.service_account_token(namespace, name, expiration_seconds=86400)
        return self.kubeconfig_for(token, f"sa.{namespace}.{name}", namespace)

    def request(self, method: str, path: str, body: object = None, timeout: float = 30) -> dict[str, Any]:
        """Send one JSON request as administrator. Raises ClusterError, or OSError if the server is unreachable."""
        status, text = self.raw_request(method, path, body, timeout)
        if status >= 400:
            raise ClusterError(f"{method} {path}: {status} {text[:500]}")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def raw_request(self, method: str, path: str, body: object = None, timeout: float = 30) -> tuple[int, str]:
        """Send one request as administrator. Returns status and text. Raises OSError if the server is unreachable."""
        context = ssl.create_default_context(cadata=self.ca_pem)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)
        headers = {"Authorization": f"Bearer {self.admin_token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def audit_position(self) -> int:
        """Return a position in the audit log for `audit_events(since=…)`, in bytes."""
        return self.audit_log.stat().st_size if self.audit_log.exists() else 0

    def audit_events(
        self, *, since: int = 0, user: str | None = None, where: Callable[[AuditEvent], bool] | None = None
    ) -> list[AuditEvent]:
        """Return the requests logged after the position `since`, of `user` only if given, oldest first, each once.

        The server logs a request when it has answered it, so the last one may appear a moment after the client has its
        answer: await it with `wait_for`. A watch is listed when it begins.
        """
        if not self.audit_log.exists():
            return []
        with self.audit_log.open("rb") as log:
            log.seek(since)
            events = {event.id: event for event in _parse(log)}
        return [
            event
            for event in events.values()
            if (user is None or event.user == user) and (where is None or where(event))
        ]


def _parse(lines: Iterable[bytes]) -> Iterable[AuditEvent]:
    for line in lines:
        if not line.endswith(b"\n"):
            return  # still being written
        raw = json.loads(line)
        target = raw.get("objectRef", {})
        yield AuditEvent(
            id=raw["auditID"],
            verb=raw["verb"],
            user=raw.get("impersonatedUser", raw.get("user", {})).get("username", ""),
            uri=raw["requestURI"],
            group=target.get("apiGroup", ""),
            resource=target.get("resource", ""),
            subresource=target.get("subresource", ""),
            namespace=target.get("namespace", ""),
            name=target.get("name", ""),
            code=raw.get("responseStatus", {}).get("code", 0),
            user_agent=raw.get("userAgent", ""),
            at=raw["stageTimestamp"],
            received=raw["requestReceivedTimestamp"],
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=0o600)
    scratch.write_text(text)
    scratch.replace(path)
