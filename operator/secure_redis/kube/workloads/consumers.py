"""Find the pods that use a Secret, and the workloads that a budget covers, in the API's documents. No I/O."""

from collections.abc import Iterable

from secure_redis.api.spec.spec import LabelSelector
from secure_redis.domain.observe.workload_match import selected
from secure_redis.domain.observe.workloads import BudgetFacts, PodFacts, SecretUser, WorkloadFacts
from secure_redis.kube.client import Body
from secure_redis.kube.workloads import convert, pod_facts


def users(bodies: Iterable[Body], secrets: frozenset[str]) -> list[SecretUser]:
    """Return the workloads and the pods that use one of the Secrets. A workload that is being deleted is left out."""
    found: list[SecretUser] = []
    for body in bodies:
        kind, meta = body["kind"], body["metadata"]
        pod = kind == "Pod"
        if pod_facts.pod(body, "", "").ended if pod else "deletionTimestamp" in meta:
            continue
        document = body if pod else convert.template(body)
        of = convert.workload_of(body) if pod else None
        found += [SecretUser(one, kind, meta["name"], of) for one in sorted(secrets) if pod_facts.uses(document, one)]
    return found


def unlisted(pods: Iterable[Body], secret: str, carrying: Iterable[WorkloadFacts], resource: str) -> list[PodFacts]:
    """Return the pods that have not ended, use the Secret and belong to none of the workloads."""
    followed = {(one.kind, one.name): one for one in carrying}
    found: list[PodFacts] = []
    for body in pods:
        if not pod_facts.uses(body, secret):
            continue
        place = convert.workload_of(body)
        workload = followed.get(place) if place is not None else None
        if workload is not None and _found_with(workload, body):
            continue
        pod = pod_facts.pod(body, resource, secret)
        if not pod.ended:
            found.append(pod)
    return found


def _found_with(workload: WorkloadFacts, pod: Body) -> bool:
    """Whether the list of the workload's pods contains this one.

    An earlier object of that name (deleted with orphaned pods) can have left pods with such a name behind.
    """
    labels = pod["metadata"].get("labels") or {}
    return convert.is_pod_of(pod, workload) and convert.selects(workload.pod_selector, labels)


def budget(body: Body, workloads: Iterable[WorkloadFacts]) -> BudgetFacts:
    """Read a policy/v1 PodDisruptionBudget. An empty selector selects every pod of the namespace, an absent one none.

    If its controller has not processed the newest generation, it allows nothing: its numbers are old.
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
