"""A client of the Kubernetes API for sandbox and tests: raw requests and answers, as any user."""

import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

from sandbox.cluster import Cluster

Document = dict[str, Any]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
_PLURALS = {
    "GitRepository": "gitrepositories",
    "NetworkPolicy": "networkpolicies",
    "SecureRedisCache": "securerediscaches",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
}


@dataclass(frozen=True)
class Answer:
    """An answer of the API server."""

    status: int
    body: Document

    @property
    def ok(self) -> bool:
        """Return whether the request succeeded."""
        return self.status < 300

    @property
    def message(self) -> str:
        """Return the message of a refusal."""
        return str(self.body.get("message", ""))

    def must(self) -> Document:
        """Return the body. Raises AssertionError if the request failed."""
        if not self.ok:
            raise AssertionError(f"{self.status}: {self.message}")
        return self.body


class Api:
    """Sends requests to one API server as its administrator or as an impersonated user."""

    def __init__(self, cluster: Cluster, user: str | None = None, groups: Iterable[str] = ()) -> None:
        self._cluster = cluster
        self._headers = urllib3.HTTPHeaderDict(
            {"Accept": "application/json", "Authorization": f"Bearer {cluster.admin_token}"}
        )
        if user:
            self._headers["Impersonate-User"] = user
            for group in groups:
                self._headers.add("Impersonate-Group", group)
        tls = ssl.create_default_context(cadata=cluster.ca_pem)
        self._pool = urllib3.PoolManager(ssl_context=tls, retries=False, timeout=30)

    def named(self, user: str, *groups: str) -> "Api":
        """Return a client of the same server as another user."""
        return Api(self._cluster, user, (*groups, "system:authenticated"))

    def service_account(self, namespace: str, name: str) -> "Api":
        """Return a client of the same server as a ServiceAccount, with the groups of its token."""
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return self.named(f"system:serviceaccount:{namespace}:{name}", *groups)

    def bearer(self, token: str) -> "Api":
        """Return a client of the same server that presents `token`."""
        other = Api(self._cluster)
        other._headers["Authorization"] = f"Bearer {token}"
        return other

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        query: Mapping[str, Any] | None = None,
        accept: str | None = None,
    ) -> Answer:
        """Send one request. An error status is an answer like any other."""
        url = f"{self._cluster.server}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers.copy()
        if accept:
            headers["Accept"] = accept
        data = None
        if body is not None:
            headers["Content-Type"] = kind
            data = json.dumps(body).encode()
        response = self._pool.request(method, url, body=data, headers=headers)
        text = response.data.decode(errors="replace")
        # The API server answers for a kind that it does not serve (yet) in plain text.
        return Answer(response.status, json.loads(text) if text.startswith("{") else {"message": text})

    def get(self, path: str) -> Answer:
        """Read an object or a list."""
        return self.call("GET", path)

    def find(self, document: Document) -> Document | None:
        """Return the object that `document` names, or None if it does not exist. Raises AssertionError otherwise."""
        answer = self.get(path_of(document))
        return None if answer.status == 404 else answer.must()

    def create(self, document: Document, *, dry_run: bool = False) -> Answer:
        """Create an object; unknown fields are an error, as with kubectl."""
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return self.call("POST", collection(document), document, query=query)

    def apply(self, document: Document, *, dry_run: bool = False) -> Answer:
        """Server-side apply with force, as admin tools do."""
        query = {"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        return self.call("PATCH", path_of(document), document, kind=APPLY, query=query)

    def merge(self, document: Document, patch: Document, subresource: str = "") -> Answer:
        """JSON merge patch on the object that `document` names."""
        suffix = f"/{subresource}" if subresource else ""
        return self.call("PATCH", path_of(document) + suffix, patch, kind=MERGE, query={"fieldValidation": "Strict"})

    def delete(self, document: Document) -> Answer:
        """Delete the object that `document` names."""
        return self.call("DELETE", path_of(document))


def collection(document: Document) -> str:
    """Return the path of the collection an object belongs to."""
    version, kind = document["apiVersion"], document["kind"]
    plural = _PLURALS.get(kind, kind.lower() + "s")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = document["metadata"].get("namespace")
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def path_of(document: Document) -> str:
    """Return the path of an object."""
    return f"{collection(document)}/{document['metadata']['name']}"
