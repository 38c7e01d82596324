"""Whether a workload is listed, consents, and carries the injection."""

from collections.abc import Mapping

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import LabelSelector, Requirement, Workload
from secure_redis.domain.observe.workloads import WorkloadFacts


def current(resource: SecureRedisCache, facts: WorkloadFacts, version: str) -> bool:
    """Whether the pod template starts its pods with `version`."""
    return facts.template_annotations.get(names.version_annotation(resource.key.name)) == version


def carries(resource: SecureRedisCache, facts: WorkloadFacts) -> bool:
    """Whether the workload was injected for this resource before, at whatever version."""
    return facts.owned.anything or names.version_annotation(resource.key.name) in facts.template_annotations


def consents(resource: SecureRedisCache, facts: WorkloadFacts) -> bool:
    """Whether the workload's owner allows this resource to change it: the label, and the name in the annotation."""
    listed = {name.strip() for name in facts.annotations.get(names.RESOURCES, "").split(",")}
    return facts.labels.get(names.INJECT) == "true" and resource.key.name in listed


def matches(entry: Workload, facts: WorkloadFacts) -> bool:
    """Whether an entry selects this workload. A selector selects only workloads with the consenting label."""
    if entry.kind != facts.kind:
        return False
    if entry.selector is None:
        return entry.name == facts.name
    return facts.labels.get(names.INJECT) == "true" and selected(entry.selector, facts.labels)


def selected(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether the selector matches as in Kubernetes: every label and expression. NotIn matches an absent label."""
    equal = all(labels.get(name) == value for name, value in selector.match_labels.items())
    return equal and all(_matches(one, labels) for one in selector.match_expressions)


def _matches(one: Requirement, labels: Mapping[str, str]) -> bool:
    match one.operator:
        case "In":
            return labels.get(one.key) in one.values
        case "NotIn":
            return labels.get(one.key) not in one.values
        case "Exists":
            return one.key in labels
        case "DoesNotExist":
            return one.key not in labels
        case _:
            return False
