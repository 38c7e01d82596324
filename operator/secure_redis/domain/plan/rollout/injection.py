"""Make the patches that inject one workload's pod template, or release it. Pure.

The hybrid form of docs/internals/kubernetes-facts.md#injection-under-gitops: server-side apply for the template's
annotation and the volume, strategic merge for env and mounts. The object's managedFields decide
what the resource owns, never a memory of earlier writes.
"""

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.refused_names import env_effect, mount_effect
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.spec.spec import Restart, Workload
from secure_redis.domain.assess.connection.forms import RESERVED
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.workload_match import consents
from secure_redis.domain.observe.workloads import ContainerFacts, EnvFacts, WorkloadFacts
from secure_redis.domain.plan.actions import InjectWorkload, ReleaseWorkload

API_VERSIONS: Final[Mapping[str, str]] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "CronJob": "batch/v1",
}

# One container's changes: entries of env and of volumeMounts for a strategic merge patch.
_Changes = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def inject(
    resource: SecureRedisCache,
    entry: Workload,
    facts: WorkloadFacts,
    secret_name: str,
    version: str,
    keys: Collection[str] | None = None,
) -> InjectWorkload | Explanation | None:
    """Build the patches that give a workload what `entry` declares, at `version`; None if it has it already.

    `keys`: those that the published Secret holds; None: those that it can hold by the spec.
    Refuses a workload that does not consent, an env entry, volume or mount path that the resource does not own, and a
    variable or path of the list in `api/refused_names.py`.
    """
    fault = _fault(resource, entry, facts, keys)
    if fault is not None:
        return fault
    volume = names.volume_name(resource.key.name)
    if entry.mounts:
        there = dict(facts.volumes)
        if volume in there and there[volume] != secret_name and volume not in facts.owned.volumes:
            return _conflict(facts, f"a volume {volume!r}")
    changes: dict[ContainerFacts, _Changes] = {}
    for container in facts.containers:
        required = _required(resource, entry, container, secret_name)
        found = required if isinstance(required, Explanation) else _changes(facts, container, *required, volume)
        if isinstance(found, Explanation):
            return found
        changes[container] = found
    annotation = _annotation(resource, entry, facts, version)
    apply = _apply(resource.key, facts, annotation, {volume: secret_name} if entry.mounts else {})
    if not _apply_needed(resource, facts, annotation, volume, secret_name if entry.mounts else None):
        apply = {}
    strategic = _strategic(facts, changes)
    if not apply and not strategic:
        return None
    return InjectWorkload(
        kind=facts.kind,
        name=facts.name,
        uid=facts.uid,
        resource_version=facts.resource_version,
        generation=facts.generation,
        apply=apply,
        strategic=strategic,
        rehearsal=_rehearsal(facts, changes, annotation, volume, secret_name if entry.mounts else None),
        strategic_first=not entry.mounts,
        version=version,
    )


def release(resource: SecureRedisCache, facts: WorkloadFacts) -> ReleaseWorkload | None:
    """Build the patches that remove all owned fields from a workload; None if it has none. Other fields stay."""
    if not facts.owned.anything:
        return None
    volume = names.volume_name(resource.key.name)
    changes = {container: _removal(facts, container, {}, {}, volume) for container in facts.containers}
    owned_by_apply = facts.owned.annotations or facts.owned.volumes
    return ReleaseWorkload(
        kind=facts.kind,
        name=facts.name,
        uid=facts.uid,
        resource_version=facts.resource_version,
        generation=facts.generation,
        apply=_apply(resource.key, facts, {}, {}) if owned_by_apply else {},
        strategic=_strategic(facts, changes),
        rehearsal=_rehearsal(
            facts,
            changes,
            dict.fromkeys(facts.owned.annotations),
            volume if volume in facts.owned.volumes else None,
            None,
        ),
        strategic_first=True,  # a mount without its volume is invalid
    )


# --- refusals -------------------------------------------------------------------------------------------------------


def _fault(
    resource: SecureRedisCache, entry: Workload, facts: WorkloadFacts, keys: Collection[str] | None
) -> Explanation | None:
    if not consents(resource, facts):
        return no_consent(resource, facts)
    plain = {container.name for container in facts.containers if not container.init}
    init = {container.name for container in facts.containers if container.init}
    for field, listed, there in (
        ("containers", entry.containers, plain),
        ("initContainers", entry.init_containers, init),
    ):
        missing = [name for name in listed if name not in there]
        if missing:
            return Explanation(
                Reason.CONTAINER_NOT_FOUND,
                f"{_named(facts)} has no container {missing[0]!r} (it has {', '.join(sorted(there)) or 'none'}): "
                f"correct spec.workloads[{entry.id}].{field}",
            )
    for one in entry.env:
        effect = env_effect(one.name)
        if effect is not None:
            return _unsafe(f"spec.workloads[{entry.id}].env sets {one.name}", effect, "choose another name")
    connection = resource.spec.connection
    published = {*RESERVED, *connection.keys, *connection.template} if keys is None else keys
    absent = [one.key for one in entry.env if one.key not in published]
    if absent:
        return Explanation(
            Reason.KEY_NOT_PUBLISHED,
            f"the Secret holds no key {absent[0]!r}, which spec.workloads[{entry.id}].env references: "
            f"use one of {', '.join(sorted(published))}, or add it to spec.connection.template",
        )
    return None


def no_consent(resource: SecureRedisCache, facts: WorkloadFacts) -> Explanation:
    """Explain what a workload's owner has to do to consent."""
    return Explanation(
        Reason.TARGET_NOT_CONSENTING,
        f'{_named(facts)} does not consent: label it (the {facts.kind}, not its pod template) {names.INJECT}: "true" '
        f"and list {resource.key.name!r} in its annotation {names.RESOURCES}",
    )


def _conflict(facts: WorkloadFacts, what: str) -> Explanation:
    return Explanation(
        Reason.TARGET_CONFLICT,
        f"{_named(facts)} has {what} that this resource does not own. The operator does not change it: choose "
        "another in spec.workloads, or take it out of the workload",
    )


def _unsafe(what: str, effect: str, remedy: str) -> Explanation:
    return Explanation(Reason.INJECTION_UNSAFE, f"{what}, by which {effect}: {remedy}")


def _named(facts: WorkloadFacts) -> str:
    return f"{facts.kind} {facts.name!r}"


# --- env and mounts -------------------------------------------------------------------------------------------------


def _chosen(entry: Workload, container: ContainerFacts) -> bool:
    if container.init:
        return container.name in entry.init_containers
    return not entry.containers or container.name in entry.containers


def _required(
    resource: SecureRedisCache, entry: Workload, container: ContainerFacts, secret_name: str
) -> tuple[dict[str, dict[str, Any]], str | None] | Explanation:
    """Return the env entries by name, and the mount path, that a container is to have."""
    if not _chosen(entry, container):
        return {}, None
    env: dict[str, dict[str, Any]] = {
        one.name: {"name": one.name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": one.key}}}
        for one in entry.env
    }
    if not entry.mounts:
        return env, None
    if entry.mount_path is not None:
        return env, entry.mount_path
    root = next((one for one in container.env if one.name == names.SERVICE_BINDING_ROOT), None)
    if root is not None and not root.value:
        return Explanation(
            Reason.TARGET_CONFLICT,
            f"container {container.name!r} takes {names.SERVICE_BINDING_ROOT} from elsewhere, so it is not known where "
            f"to mount: set spec.workloads[{entry.id}].mountPath",
        )
    if root is None:
        env[names.SERVICE_BINDING_ROOT] = {"name": names.SERVICE_BINDING_ROOT, "value": names.DEFAULT_BINDING_ROOT}
    base = root.value if root is not None and root.value else names.DEFAULT_BINDING_ROOT
    return env, f"{base.rstrip('/')}/{resource.key.name}"


def _changes(
    facts: WorkloadFacts,
    container: ContainerFacts,
    env: Mapping[str, dict[str, Any]],
    path: str | None,
    volume: str,
) -> _Changes | Explanation:
    """Return the strategic merge patch of one container, or why it must not be changed."""
    there = {one.name: one for one in container.env}
    owned = facts.owned.env.get(container.name, frozenset())
    added: list[dict[str, Any]] = []
    for name, required in env.items():
        found = there.get(name)
        if found is not None and _same(found, required):
            continue
        if found is not None and (name not in owned or found.secret is None):
            return _conflict(facts, f"an env entry {name!r} in container {container.name!r}")
        added.append(required)
    mounts: list[dict[str, Any]] = []
    if path is not None:
        effect = mount_effect(_path(path))
        if effect is not None:
            where = f"{_named(facts)} would get a mount at {path!r} in container {container.name!r}"
            return _unsafe(where, effect, "choose another mountPath in spec.workloads")
        foreign = [mounted for of, mounted in container.mounts if of != volume and _overlap(mounted, path)]
        if foreign:
            where = f"a mount at {foreign[0]!r}"
            if _path(foreign[0]) != _path(path):
                where += f", which is {'below' if _below(foreign[0], path) else 'above'} {path!r},"
            return _conflict(facts, f"{where} in container {container.name!r}")
        if _path(path) not in {_path(mounted) for of, mounted in container.mounts if of == volume}:
            mounts.append({"name": volume, "mountPath": path, "readOnly": True})
    gone_env, gone_mounts = _removal(facts, container, env, {} if path is None else {_path(path): volume}, volume)
    return [*added, *gone_env], [*mounts, *gone_mounts]


def _same(found: EnvFacts, required: Mapping[str, Any]) -> bool:
    if "value" in required:
        return found.value == str(required["value"])
    reference = required["valueFrom"]["secretKeyRef"]
    return found.secret == str(reference["name"]) and found.key == str(reference["key"])


def _removal(
    facts: WorkloadFacts,
    container: ContainerFacts,
    env: Mapping[str, Any],
    mounts: Mapping[str, str],
    volume: str,
) -> _Changes:
    """Return the removal of one container's owned fields that are not in `env` and `mounts` (by plain path)."""
    owned = facts.owned
    there = {one.name: one for one in container.env}
    gone = [
        {"$patch": "delete", "name": name}
        for name in sorted(owned.env.get(container.name, frozenset()))
        # If another party replaced the reference by its own value, the entry is theirs.
        if name not in env and name in there and there[name].secret is not None
    ]
    own_paths = owned.mounts.get(container.name, frozenset())
    leaving = [
        {"$patch": "delete", "mountPath": path}
        for of, path in container.mounts
        if of == volume and path in own_paths and _path(path) not in mounts
    ]
    if (
        container.name in owned.roots
        and names.SERVICE_BINDING_ROOT in there
        and not _root_used(there[names.SERVICE_BINDING_ROOT].value or "", container, mounts, volume)
    ):
        gone.append({"$patch": "delete", "name": names.SERVICE_BINDING_ROOT})
    return gone, leaving


def _root_used(root: str, container: ContainerFacts, mounts: Mapping[str, str], volume: str) -> bool:
    """Whether a mount (own ones as required, others as they are) is below SERVICE_BINDING_ROOT."""
    others = (path for of, path in container.mounts if of != volume)
    return bool(root) and any(_below(path, root) for path in (*mounts, *others))


def _path(path: str) -> str:
    """Return the path as the container sees it: without `//`, `.`, `..` and a slash at the end."""
    return normpath(f"/{path.strip('/')}")


def _below(path: str, other: str) -> bool:
    return PurePosixPath(_path(path)).is_relative_to(_path(other)) and _path(path) != _path(other)


def _overlap(one: str, other: str) -> bool:
    """Whether one mount hides the other or needs a file or a directory in it. The kubelet or the runtime then fails."""
    return _path(one) == _path(other) or _below(one, other) or _below(other, one)


# --- bodies ---------------------------------------------------------------------------------------------------------


def _annotation(resource: SecureRedisCache, entry: Workload, facts: WorkloadFacts, version: str) -> dict[str, str]:
    """Return the version annotation. Changing it restarts the pods, so it stays where no restart is required."""
    name = names.version_annotation(resource.key.name)
    before = facts.template_annotations.get(name)
    return {name: version if entry.restart is Restart.ROLLING or not before else before}


def _apply_needed(
    resource: SecureRedisCache, facts: WorkloadFacts, annotation: Mapping[str, str], volume: str, secret: str | None
) -> bool:
    owned = facts.owned
    annotated = all(facts.template_annotations.get(name) == value for name, value in annotation.items())
    mounted = volume not in owned.volumes if secret is None else dict(facts.volumes).get(volume) == secret
    return not (annotated and mounted)


def _apply(
    key: Key, facts: WorkloadFacts, annotations: Mapping[str, str], volumes: Mapping[str, str]
) -> dict[str, Any]:
    """Return all that the resource owns by apply: the server removes what is left out."""
    template: dict[str, Any] = {}
    if annotations:
        template["metadata"] = {"annotations": dict(annotations)}
    if volumes:
        template["spec"] = {"volumes": [{"name": name, "secret": {"secretName": of}} for name, of in volumes.items()]}
    body: dict[str, Any] = {
        "apiVersion": API_VERSIONS[facts.kind],
        "kind": facts.kind,
        "metadata": {"name": facts.name, "namespace": key.namespace, "uid": facts.uid},
    }
    if template:
        body["spec"] = _in_workload_spec(facts.kind, template)
    return body


def _strategic(facts: WorkloadFacts, changes: Mapping[ContainerFacts, _Changes]) -> dict[str, Any]:
    spec = _containers(changes)
    return {"spec": _in_workload_spec(facts.kind, {"spec": spec})} if spec else {}


def _rehearsal(
    facts: WorkloadFacts,
    changes: Mapping[ContainerFacts, _Changes],
    annotations: Mapping[str, str | None],
    volume: str | None,
    secret: str | None,
) -> dict[str, Any]:
    spec: dict[str, Any] = _containers(changes)
    if volume is not None and secret is not None:
        spec["volumes"] = [{"name": volume, "secret": {"secretName": secret}}]
    elif volume is not None and volume in facts.owned.volumes:
        spec["volumes"] = [{"$patch": "delete", "name": volume}]
    template: dict[str, Any] = {"metadata": {"annotations": dict(annotations)}}
    if spec:
        template["spec"] = spec
    return {"spec": _in_workload_spec(facts.kind, template)}


def _containers(changes: Mapping[ContainerFacts, _Changes]) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    for container, (env, mounts) in changes.items():
        one: dict[str, Any] = {"name": container.name}
        if env:
            one["env"] = env
        if mounts:
            one["volumeMounts"] = mounts
        if len(one) > 1:
            spec.setdefault("initContainers" if container.init else "containers", []).append(one)
    return spec


def _in_workload_spec(kind: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """Put a workload's spec around its pod template; a CronJob's is inside the spec of its jobs."""
    inner = {"template": template}
    return {"jobTemplate": {"spec": inner}} if kind == "CronJob" else inner
