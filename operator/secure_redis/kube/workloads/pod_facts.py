"""Turn the API's pods into the domain's facts: what each container reads of the Secret, and whether it ever started."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from secure_redis.api import names
from secure_redis.domain.observe.workloads import ContainerState, Obstacle, PodFacts, Reads
from secure_redis.kube.client import Body

# Where the spec lists containers, and where the status reports them.
_CONTAINERS: Final = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
_OBSTACLES: Final[Mapping[str, Obstacle]] = {
    "ErrImagePull": Obstacle.IMAGE,
    "ImagePullBackOff": Obstacle.IMAGE,
    "ErrImageNeverPull": Obstacle.IMAGE,
    "InvalidImageName": Obstacle.IMAGE,
    "ImageInspectError": Obstacle.IMAGE,
    "RegistryUnavailable": Obstacle.IMAGE,
    "CreateContainerConfigError": Obstacle.CONFIGURATION,
}


def pod(body: Body, resource: str, secret: str) -> PodFacts:
    """Read one pod. `resource` (a name) decides which annotation is its version, `secret` what its containers read."""
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())
    return PodFacts(
        name=meta["name"],
        version=(meta.get("annotations") or {}).get(names.version_annotation(resource)),
        started=_time(status.get("startTime") or meta.get("creationTimestamp")),
        ready=ready,
        deleting="deletionTimestamp" in meta,
        ends=_time(meta.get("deletionTimestamp")),
        uses=uses(body, secret),
        bound=bool(spec.get("nodeName")),
        accepted=bool(status.get("startTime")),
        phase=str(status.get("phase") or "Pending"),
        containers=tuple(_containers(spec, status, secret)),
        obstacle=_obstacle(spec, status),
        revision=(meta.get("labels") or {}).get("controller-revision-hash"),
    )


def uses(body: Body, secret: str) -> bool:
    """Whether the pod names the Secret in a container's env or envFrom, or as a volume.

    Not counted: imagePullSecrets, which no container gets, and what a process reads from the API by itself.
    """
    spec = body.get("spec") or {}
    by_env = any(_by_env(container, secret) for listed, _ in _CONTAINERS for container in spec.get(listed) or ())
    return by_env or bool(_volumes(spec, secret))


def _containers(spec: Body, status: Body, secret: str) -> Iterator[ContainerState]:
    volumes = _volumes(spec, secret)
    for listed, reported in _CONTAINERS:
        states = {one.get("name"): one for one in status.get(reported) or ()}
        for container in spec.get(listed) or ():
            yield _state(container, states.get(container["name"]) or {}, _reads(container, volumes, secret))


def _state(container: Body, reported: Body, reads: Reads) -> ContainerState:
    """Read the state of one container. Kubernetes keeps the last two starts, `restartCount` counts the later ones."""
    now, before = reported.get("state") or {}, reported.get("lastState") or {}
    restarts = int(reported.get("restartCount") or 0)
    seen = [one for one in (now.get("running"), now.get("terminated"), before.get("terminated")) if one is not None]
    starts = [_time(one.get("startedAt")) for one in seen]
    known = [start for start in starts if start is not None]
    return ContainerState(
        name=container["name"],
        reads=reads,
        started=bool(seen) or restarts > 0 or reported.get("started") is True,
        first_start=min(known) if known and len(known) == len(seen) == restarts + 1 else None,
        running=now.get("running") is not None,
    )


def _reads(container: Body, volumes: frozenset[str], secret: str) -> Reads:
    found = Reads.ENV if _by_env(container, secret) else Reads.NOTHING
    for mount in container.get("volumeMounts") or ():
        if mount.get("name") in volumes:
            found |= Reads.SUB_PATH if mount.get("subPath") or mount.get("subPathExpr") else Reads.FILES
    return found


def _by_env(container: Body, secret: str) -> bool:
    entries = (((one.get("valueFrom") or {}).get("secretKeyRef") or {}) for one in container.get("env") or ())
    sources = ((one.get("secretRef") or {}) for one in container.get("envFrom") or ())
    return any(one.get("name") == secret for one in (*entries, *sources))


def _volumes(spec: Body, secret: str) -> frozenset[str]:
    """Return the names of the volumes that contain entries of the Secret."""
    found: set[str] = set()
    for volume in spec.get("volumes") or ():
        projected = (volume.get("projected") or {}).get("sources") or ()
        sources = [(volume.get("secret") or {}).get("secretName")]
        sources += [(source.get("secret") or {}).get("name") for source in projected]
        if secret in sources:
            found.add(volume["name"])
    return frozenset(found)


def _obstacle(spec: Body, status: Body) -> Obstacle | None:
    if not spec.get("nodeName"):
        if spec.get("schedulingGates"):
            return Obstacle.GATED
        conditions = status.get("conditions") or ()
        refused = any(one["type"] == "PodScheduled" and one["status"] == "False" for one in conditions)
        return Obstacle.UNSCHEDULED if refused else None
    reported = [one for _, field in _CONTAINERS for one in status.get(field) or ()]
    waiting = (str(((one.get("state") or {}).get("waiting") or {}).get("reason")) for one in reported)
    return next((_OBSTACLES[reason] for reason in waiting if reason in _OBSTACLES), None)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
