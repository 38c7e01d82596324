"""Who uses a Secret, and which budgets protect whom, from the API's documents. No I/O."""

from collections.abc import Iterable, Iterator

from secure_redis.api.spec.spec import LabelSelector
from secure_redis.domain.observe.workload_match import selected
from secure_redis.domain.observe.workloads import BudgetFacts, PodFacts, WorkloadFacts
from secure_redis.kube.client import Body
from secure_redis.kube.workloads import convert


def uses(pod: Body, secret: str) -> bool:
    """Whether a pod takes anything from the Secret of that name into a container: env, envFrom or a volume.

    Not counted: imagePullSecrets, which no container sees, and what a process reads from the API by itself.
    """
    spec = pod.get("spec") or {}
    return secret in _by_containers(spec) or secret in _by_volumes(spec)


def unlisted(pods: Iterable[Body], secret: str, carrying: Iterable[WorkloadFacts], resource: str) -> list[PodFacts]:
    """The pods that have not ended, use the Secret and belong to none of the workloads."""
    followed = {(one.kind, one.name): one for one in carrying}
    found: list[PodFacts] = []
    for body in pods:
        if not uses(body, secret):
            continue
        place = convert.workload_of(body)
        workload = followed.get(place) if place is not None else None
        if workload is not None and _found_with(workload, body):
            continue
        pod = convert.pod(body, resource)
        if pod is not None:
            found.append(pod)
    return found


def _found_with(workload: WorkloadFacts, pod: Body) -> bool:
    """Whether a look at the workload's pods finds this one.

    What an earlier object of that name left behind (deleted with its pods orphaned) is named alike, and is not.
    """
    labels = pod["metadata"].get("labels") or {}
    return convert.is_pod_of(pod, workload) and convert.selects(workload.pod_selector, labels)


def budget(body: Body, workloads: Iterable[WorkloadFacts]) -> BudgetFacts:
    """A policy/v1 PodDisruptionBudget. Its empty selector selects every pod of the namespace, an absent one none.

    What its controller has not looked at since it was written allows nothing: its numbers are those of before.
    """
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    observed = int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)
    allowed, expected = int(status.get("disruptionsAllowed") or 0), int(status.get("expectedPods") or 0)
    chosen = spec.get("selector")
    covers: frozenset[tuple[str, str]] = frozenset()
    if chosen is not None:
        selector = LabelSelector.model_validate(chosen)
        covers = frozenset((one.kind, one.name) for one in workloads if selected(selector, one.template_labels))
    return BudgetFacts(meta["name"], allowed if observed else 0, expected if observed else max(expected, 1), covers)


def _by_containers(spec: Body) -> Iterator[str]:
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            for one in container.get("env") or ():
                yield str(((one.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name") or "")
            for one in container.get("envFrom") or ():
                yield str((one.get("secretRef") or {}).get("name") or "")


def _by_volumes(spec: Body) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        yield str((volume.get("secret") or {}).get("secretName") or "")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield str((source.get("secret") or {}).get("name") or "")
