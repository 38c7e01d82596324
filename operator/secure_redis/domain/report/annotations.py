"""Report annotations that have no effect on a resource, and those that are left out of its Secret. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.refused_names import metadata_effect
from secure_redis.api.resource import Envelope, SecureRedisCache
from secure_redis.domain.report.events import Event

# Names that have an effect on another object.
_BELONGS: Final = {
    names.ALLOW: "on a ServiceAccount",
    names.INJECT: "as a label on a workload",
    names.RESOURCES: "on a workload",
}


def ineffective(resource: Envelope) -> tuple[str, ...]:
    """List the annotations without effect, and the labels and annotations that the Secret does not get."""
    if not isinstance(resource, SecureRedisCache):
        return resource.unknown_annotations
    connection = resource.spec.connection
    left_out = (
        f"spec.connection.{field}[{name}]"
        for field, given in (("labels", connection.labels), ("annotations", connection.annotations))
        for name in given
        if metadata_effect(name)
    )
    return (*resource.unknown_annotations, *left_out)


def without_effect(resource: Envelope, reported: Iterable[str]) -> tuple[Event, ...]:
    """Report each annotation that has no effect and was not reported before."""
    new = sorted({*ineffective(resource)} - {*reported})
    return tuple(Event("Warning", Reason.UNKNOWN_ANNOTATION, _note(name)) for name in new)


def _note(name: str) -> str:
    if name.startswith("spec."):
        effect = metadata_effect(name.partition("[")[2].removesuffix("]"))
        return f"{name} is left out of the Secret, because {effect}; remove it from the spec"
    found = f"the annotation {name} has no effect"
    if name in _BELONGS:
        return f"{found} here: it belongs {_BELONGS[name]}"
    near = get_close_matches(name, names.REQUESTS, n=1, cutoff=0.8)
    return f"{found}; did you mean {near[0]}?" if near else f"{found}; known are {', '.join(names.REQUESTS)}"
