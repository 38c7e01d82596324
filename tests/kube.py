"""The Kubernetes API for synchronous tests: plain dicts in and out, the server's own words on a refusal."""

import json
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config, dynamic
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

Document = dict[str, Any]
Source = Document | str | Path  # one object: as it is, as YAML text, or a YAML file

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
FIELD_MANAGER = "tests"


class KubeError(Exception):
    """The API server refused; `str()` is its message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Kube:
    """One user's access to one API server, over the library's dynamic client.

    `kind` goes with `api_version` ("v1" by default). Unknown fields are refused (fieldValidation=Strict).
    """

    def __init__(self, kubeconfig: Path) -> None:
        client = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        # Not the library's default cache file: that one is named for host and port and outlives the server.
        cache = kubeconfig.with_suffix(".discovery.json")
        self._client = dynamic.DynamicClient(client, cache_file=str(cache))  # type: ignore[no-untyped-call]

    def get(self, kind: str, name: str, namespace: str | None = None, api_version: str = "v1") -> Document | None:
        """The object, or None if there is none of this name. Raises KubeError."""
        try:
            return self._call("get", self._path(api_version, kind, name, namespace))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, kind: str, namespace: str | None = None, api_version: str = "v1", label_selector: str | None = None
    ) -> list[Document]:
        """All objects of a namespace, or of all. Raises KubeError."""
        query = [("labelSelector", label_selector)] if label_selector else []
        answer = self._call("get", self._path(api_version, kind, None, namespace), query=query)
        items: list[Document] = answer["items"]
        return items

    def create(self, source: Source, *, dry_run: bool = False) -> Document:
        """The created object. Raises KubeError."""
        document = load(source)
        return self._call("post", self._path_of(document, named=False), document, query=_query(dry_run))

    def apply(
        self, source: Source, *, dry_run: bool = False, field_manager: str = FIELD_MANAGER, force: bool = True
    ) -> Document:
        """The object after a server-side apply. Raises KubeError."""
        document = load(source)
        query = [*_query(dry_run), ("fieldManager", field_manager), ("force", str(force).lower())]
        return self._call("patch", self._path_of(document), document, content_type=APPLY, query=query)

    def patch(
        self,
        kind: str,
        name: str,
        body: Document,
        namespace: str | None = None,
        api_version: str = "v1",
        *,
        subresource: str | None = None,
        content_type: str = MERGE,
    ) -> Document:
        """The object after a JSON merge patch (or what `content_type` says). Raises KubeError."""
        path = self._path(api_version, kind, name, namespace) + (f"/{subresource}" if subresource else "")
        query = [*_query(False), ("fieldManager", FIELD_MANAGER)]
        return self._call("patch", path, body, content_type=content_type, query=query)

    def delete(self, kind: str, name: str, namespace: str | None = None, api_version: str = "v1") -> None:
        """Ask for deletion; no error if it is gone already. Raises KubeError."""
        try:
            self._call("delete", self._path(api_version, kind, name, namespace))
        except KubeError as error:
            if error.status != 404:
                raise

    def delete_all(self, kind: str, namespace: str, api_version: str = "v1") -> None:
        """Ask for deletion of all objects of a namespace. Raises KubeError."""
        self._call("delete", self._path(api_version, kind, None, namespace))

    def refusal(self, source: Source) -> str | None:
        """Return the server's objection to creating this object; None if it would take it. Changes nothing."""
        try:
            self.create(source, dry_run=True)
        except KubeError as error:
            return str(error)
        return None

    def _path_of(self, document: Document, *, named: bool = True) -> str:
        metadata = document["metadata"]
        name = metadata["name"] if named else None
        return self._path(document["apiVersion"], document["kind"], name, metadata.get("namespace"))

    def _path(self, api_version: str, kind: str, name: str | None, namespace: str | None) -> str:
        try:
            resource = self._client.resources.get(api_version=api_version, kind=kind)
        except ResourceNotFoundError:
            raise KubeError(404, "NotFound", f"the server has no {kind} in {api_version}") from None
        return str(resource.path(name=name, namespace=namespace if resource.namespaced else None))

    def _call(self, method: str, path: str, body: Document | None = None, **options: Any) -> Document:
        options["query_params"] = options.pop("query", [])
        try:
            answer = self._client.request(method, path, body=body, serialize=False, **options)
        except DynamicApiError as error:
            raise _refused(error) from None
        document: Document = json.loads(answer.data)
        return document


def load(source: Source) -> Document:
    """One object from a dict, YAML text or a YAML file."""
    if isinstance(source, dict):
        return source
    document: Document = yaml.safe_load(source.read_text() if isinstance(source, Path) else source)
    return document


def _query(dry_run: bool) -> list[tuple[str, str]]:
    return [("fieldValidation", "Strict"), *([("dryRun", "All")] if dry_run else [])]


def _refused(error: DynamicApiError) -> KubeError:
    body: Any = error.body  # bytes or str, whatever the library's types say
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        said = json.loads(text)
    except ValueError:
        said = {}
    return KubeError(int(error.status), said.get("reason") or str(error.reason), said.get("message") or text)
