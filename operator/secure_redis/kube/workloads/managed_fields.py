"""Read from an object's managedFields which parts of a workload a field manager owns."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from secure_redis.api import names
from secure_redis.api.spec.spec import WorkloadKind
from secure_redis.domain.observe.workloads import Owned
from secure_redis.kube.client import Body

_Pair = tuple[str, str]  # a container, and a name or a path in it


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of managedFields: the fields of the pod template that its manager owns.

    `env`: entries with a secretKeyRef. `roots`: containers with a value of SERVICE_BINDING_ROOT.
    """

    manager: str
    written: datetime | None
    annotations: frozenset[str]
    volumes: frozenset[str]
    env: frozenset[_Pair]
    mounts: frozenset[_Pair]
    roots: frozenset[str]


def owned(body: Body, manager: str) -> Owned:
    """Return the fields of `manager`, of both its entries: the server-side apply's and the merge patch's."""
    entries = [
        _entry(one, body["kind"])
        for one in body["metadata"].get("managedFields") or ()
        if str(one.get("manager") or "").startswith(names.MANAGER_PREFIX) and not one.get("subresource")
    ]
    own = [entry for entry in entries if entry.manager == manager]
    return Owned(
        annotations=frozenset(name for entry in own for name in entry.annotations),
        volumes=frozenset(name for entry in own for name in entry.volumes),
        env=_by_container(pair for entry in own for pair in entry.env),
        mounts=_by_container(pair for entry in own for pair in entry.mounts),
        roots=frozenset(name for entry in entries for name in entry.roots),
        # The later of both entries: a change of env alone starts a rollout too.
        applied=max((entry.written for entry in own if entry.written is not None), default=None),
    )


def last_writer(body: Body) -> str | None:
    """Return the field manager that wrote the object last, apart from the operator's and from its status."""
    entries = (
        (str(one.get("time") or ""), str(one.get("manager") or ""))
        for one in body["metadata"].get("managedFields") or ()
        if not one.get("subresource") and not str(one.get("manager") or "").startswith(names.MANAGER_PREFIX)
    )
    return max(entries, default=("", ""))[1] or None


def managers(body: Body, kind: str) -> frozenset[str]:
    """Return the field managers of resources that own a part of the pod template. The object's metadata suffice."""
    entries = (
        _entry(one, kind)
        for one in body["metadata"].get("managedFields") or ()
        if str(one.get("manager") or "").startswith(names.MANAGER_PREFIX) and not one.get("subresource")
    )
    return frozenset(one.manager for one in entries if one.annotations or one.volumes or one.env or one.mounts)


def _entry(body: Body, kind: str) -> _Entry:
    fields = _template_fields(body.get("fieldsV1") or {}, kind)
    pod = fields.get("f:spec") or {}
    containers = [
        (name, below) for key in ("f:initContainers", "f:containers") for name, below in _keyed(pod.get(key), "name")
    ]
    env = [(name, key, field) for name, below in containers for key, field in _keyed(below.get("f:env"), "name")]
    written = body.get("time")
    annotations = (fields.get("f:metadata") or {}).get("f:annotations") or {}
    return _Entry(
        manager=str(body.get("manager") or ""),
        written=datetime.fromisoformat(written) if written else None,
        annotations=frozenset(key.removeprefix("f:") for key in annotations if key != "."),
        volumes=frozenset(key for key, field in _keyed(pod.get("f:volumes"), "name") if "f:secret" in field),
        env=frozenset((name, key) for name, key, field in env if "f:secretKeyRef" in (field.get("f:valueFrom") or {})),
        mounts=frozenset(
            (name, path)
            for name, below in containers
            for path, field in _keyed(below.get("f:volumeMounts"), "mountPath")
            if "f:name" in field
        ),
        roots=frozenset(name for name, key, field in env if key == names.SERVICE_BINDING_ROOT and "f:value" in field),
    )


def _template_fields(fields: Body, kind: str) -> Body:
    job = ("f:jobTemplate", "f:spec") if kind == WorkloadKind.CRON_JOB else ()
    for step in ("f:spec", *job, "f:template"):
        fields = fields.get(step) or {}
    return fields


def _keyed(fields: Body | None, key: str) -> Iterator[tuple[str, Body]]:
    """Return the members of an associative list in fieldsV1: their key's value and what is owned below it."""
    for text, below in (fields or {}).items():
        if text.startswith("k:"):
            value = json.loads(text[2:]).get(key)
            if isinstance(value, str):
                yield value, below


def _by_container(pairs: Iterable[_Pair]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for container, name in pairs:
        found.setdefault(container, set()).add(name)
    return {container: frozenset(names_of) for container, names_of in found.items()}
