"""Turn the API's workloads and pods into the domain's facts. Which fields are owned: see `managed_fields`."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.spec.spec import WorkloadKind
from secure_redis.domain.observe.workloads import (
    ContainerFacts,
    EnvFacts,
    WorkloadFacts,
)
from secure_redis.kube.client import Body
from secure_redis.kube.workloads.config_maps import uses
from secure_redis.kube.workloads.managed_fields import last_writer, owned
from secure_redis.kube.workloads.plaintext_settings import plaintext_in
from secure_redis.telemetry.external_text import clean

MOST_RESOURCES: Final = 64
_LONGEST_VALUE: Final = 32 * 1024  # characters of an annotation
_LONGEST_RESOURCES: Final = 8 * 1024


def template(body: Body) -> Body:
    """Return the pod template of a Deployment, StatefulSet or DaemonSet, or of a CronJob's jobs."""
    found: Body = body.get("spec") or {}
    for step in ("jobTemplate", "spec", "template") if body["kind"] == WorkloadKind.CRON_JOB else ("template",):
        found = found.get(step) or {}
    return found


def workload(body: Body, resource: str) -> WorkloadFacts:
    """Read one workload; `resource` (a name) decides which fields count as owned. Foreign annotations are left out."""
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    pods = template(body)
    inner = pods.get("spec") or {}
    strategy: Body = spec.get("updateStrategy") or {}
    rolling: Body = strategy.get("rollingUpdate") or {}
    cron = body["kind"] == WorkloadKind.CRON_JOB
    return WorkloadFacts(
        kind=body["kind"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        generation=int(meta.get("generation") or 0),
        labels=meta.get("labels") or {},
        annotations=_only(meta, names.RESOURCES),
        template_annotations=_only(pods.get("metadata") or {}, names.version_annotation(resource)),
        pod_selector="" if cron else selector_text(spec.get("selector") or {}),
        containers=(
            *(_container(one, inner, init=True) for one in inner.get("initContainers") or ()),
            *(_container(one, inner, init=False) for one in inner.get("containers") or ()),
        ),
        volumes=tuple((one["name"], (one.get("secret") or {}).get("secretName")) for one in inner.get("volumes") or ()),
        owned=owned(body, names.field_manager(resource)),
        paused=bool(spec.get("suspend" if cron else "paused")),
        update_strategy=strategy.get("type") or "RollingUpdate",
        partition=int(rolling.get("partition") or 0),
        deleting="deletionTimestamp" in meta,
        rolled=_rolled(body["kind"], meta, spec, status),
        failed=_failed(status),
        replicas=_replicas(body["kind"], spec, status),
        template_labels=(pods.get("metadata") or {}).get("labels") or {},
        available=_available(body["kind"], status),
        surges=_surges(body["kind"], spec, _replicas(body["kind"], spec, status)),
        writer=last_writer(body),
        ordered=body["kind"] == WorkloadKind.STATEFUL_SET and spec.get("podManagementPolicy") != "Parallel",
        update_revision=status.get("updateRevision"),
    )


def _only(meta: Body, name: str) -> dict[str, str]:
    value = str((meta.get("annotations") or {}).get(name, ""))
    if len(value) > _LONGEST_VALUE:
        value = value[:_LONGEST_VALUE].rpartition(",")[0]  # a part of a name could be another name
    return {name: value} if name in (meta.get("annotations") or {}) else {}


def parts(facts: WorkloadFacts) -> int:
    """Return how many parts the facts of a workload have whose number its author decides."""
    inner = sum(len(one.env) + len(one.mounts) + len(one.config) + 1 for one in facts.containers)
    return inner + len(facts.volumes) + len(facts.labels) + len(facts.template_labels)


def resources_named(meta: Body) -> frozenset[str]:
    """Return the resources that a workload's annotation names: as many as a watch can wake for one workload."""
    listed = str((meta.get("annotations") or {}).get(names.RESOURCES, ""))[:_LONGEST_RESOURCES].split(",")
    return frozenset(islice(filter(None, (name.strip() for name in listed)), MOST_RESOURCES))


def progress(body: Body) -> int:
    """Return a digest of what decides about injection and rollout: spec (by generation), labels and their progress."""
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    labels = frozenset((meta.get("labels") or {}).items())
    rolled = _rolled(body["kind"], meta, spec, status)
    return hash((meta.get("generation"), labels, rolled, _failed(status), "deletionTimestamp" in meta))


def workload_of(body: Body) -> tuple[str, str] | None:
    """Kind and name of the workload that a pod belongs to, by its controller's name; None for another controller.

    A Deployment's ReplicaSets are named for it and the template's hash, a CronJob's Jobs for it and the minute.
    """
    meta = body["metadata"]
    owner = _controller(body)
    kind, name = str(owner.get("kind") or ""), str(owner.get("name") or "")
    if kind == "ReplicaSet":
        start, _, digest = name.rpartition("-")
        known = start and digest == (meta.get("labels") or {}).get("pod-template-hash")
        return (WorkloadKind.DEPLOYMENT.value, start) if known else None
    if kind == "Job":
        start, _, minute = name.rpartition("-")
        return (WorkloadKind.CRON_JOB.value, start) if minute.isdecimal() else None
    return (kind, name) if kind in (WorkloadKind.STATEFUL_SET, WorkloadKind.DAEMON_SET) else None


def is_pod_of(body: Body, found: WorkloadFacts) -> bool:
    """Whether the pod's controller is this workload, or a ReplicaSet or Job of it."""
    if workload_of(body) != (found.kind, found.name):
        return False
    return found.kind in (WorkloadKind.DEPLOYMENT, WorkloadKind.CRON_JOB) or _controller(body).get("uid") == found.uid


def _controller(body: Body) -> Body:
    owners = body["metadata"].get("ownerReferences") or ()
    return next((ref for ref in owners if ref.get("controller")), {})


def selector_text(selector: Body) -> str:
    """Write a LabelSelector of the API (matchLabels, matchExpressions) as the parameter `labelSelector`."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    parts += [
        requirement(one["key"], one["operator"], one.get("values") or ())
        for one in selector.get("matchExpressions") or ()
    ]
    return ",".join(parts)


def requirement(key: str, operator: str, values: Any) -> str:
    """Write one expression of a selector."""
    match operator:
        case "Exists":
            return key
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return f"{key} {operator.lower()} ({','.join(values)})"


def selects(text: str, labels: Mapping[str, str]) -> bool:
    """Whether a selector in the form of `selector_text` selects these labels."""
    for part in _REQUIREMENT.findall(text):
        key, among, values = part.partition(" in (")
        if not among:
            key, among, values = part.partition(" notin (")
        name, equal, value = part.partition("=")
        if among:
            listed = labels.get(key) in values.removesuffix(")").split(",")
            matches = listed if among == " in (" else not listed
        elif equal:
            matches = labels.get(name) == value
        else:
            matches = part[1:] not in labels if part.startswith("!") else part in labels
        if not matches:
            return False
    return True


_REQUIREMENT = re.compile(r"[^,(]+(?:\([^)]*\))?")


def _container(body: Body, pod: Body, *, init: bool) -> ContainerFacts:
    return ContainerFacts(
        name=body["name"],
        init=init,
        env=tuple(_env(one) for one in body.get("env") or ()),
        mounts=tuple((one["name"], one["mountPath"]) for one in body.get("volumeMounts") or ()),
        config=tuple(uses(body, pod)),
    )


def _env(body: Body) -> EnvFacts:
    reference: Body = (body.get("valueFrom") or {}).get("secretKeyRef") or {}
    # No other entry's value is kept: it can be a secret of the user's.
    value = body.get("value") if body["name"] == names.SERVICE_BINDING_ROOT else None
    literal = body.get("value")
    clear = plaintext_in(body["name"], literal) if isinstance(literal, str) else None
    return EnvFacts(body["name"], reference.get("name"), reference.get("key"), value, clear)


def _replicas(kind: str, spec: Body, status: Body) -> int:
    if kind == WorkloadKind.DAEMON_SET:
        return int(status.get("desiredNumberScheduled") or 0)
    if kind == WorkloadKind.CRON_JOB:
        return len(status.get("active") or ())
    desired = spec.get("replicas")
    return 1 if desired is None else int(desired)


def _available(kind: str, status: Body) -> int:
    return int(status.get("numberAvailable" if kind == WorkloadKind.DAEMON_SET else "availableReplicas") or 0)


def _rolled(kind: str, meta: Body, spec: Body, status: Body) -> bool:
    if kind == WorkloadKind.CRON_JOB:
        return True
    if int(status.get("observedGeneration") or 0) < int(meta.get("generation") or 0):
        return False
    declared = _replicas(kind, spec, status)
    if kind == WorkloadKind.DAEMON_SET:
        return int(status.get("updatedNumberScheduled") or 0) >= declared and _available(kind, status) >= declared
    updated = int(status.get("updatedReplicas") or 0)
    return updated == declared == int(status.get("replicas") or 0) and _available(kind, status) >= declared


def _surges(kind: str, spec: Body, replicas: int) -> bool:
    """Whether no pod ends before a new one is available. By default this holds for fewer than four replicas.

    A percentage is rounded down; where both numbers come to 0, Kubernetes lets one pod be unavailable.
    """
    if kind == WorkloadKind.DEPLOYMENT:
        strategy, unavailable, surge = spec.get("strategy") or {}, "25%", "25%"
    elif kind == WorkloadKind.DAEMON_SET:
        strategy, unavailable, surge = spec.get("updateStrategy") or {}, "1", "0"
    else:
        return False
    rolling: Body = strategy.get("rollingUpdate") or {}
    if (strategy.get("type") or "RollingUpdate") != "RollingUpdate":
        return False
    missing = _share(rolling.get("maxUnavailable", unavailable), replicas)
    return missing == 0 and str(rolling.get("maxSurge", surge)) not in ("0", "0%")


def _share(value: int | str, replicas: int) -> int:
    text = str(value)
    return replicas * int(text[:-1]) // 100 if text.endswith("%") else int(text)


def _failed(status: Body) -> str | None:
    for one in status.get("conditions") or ():
        gave_up = one["type"] == "Progressing" and one["status"] == "False"
        if gave_up or (one["type"] == "ReplicaFailure" and one["status"] == "True"):
            return f"{one.get('reason') or one['type']}: {clean(one.get('message') or 'no message')}"
    return None
