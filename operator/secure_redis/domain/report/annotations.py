"""Report annotations of the operator's group that have no effect on a resource, mostly typing errors. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Envelope
from secure_redis.domain.report.events import Event

# Names that have an effect on another object.
_BELONGS: Final = {
    names.ALLOW: "on a ServiceAccount",
    names.INJECT: "as a label on a workload",
    names.RESOURCES: "on a workload",
}


def without_effect(resource: Envelope, reported: Iterable[str]) -> tuple[Event, ...]:
    """Report each annotation that has no effect and was not reported before."""
    new = sorted({*resource.unknown_annotations} - {*reported})
    return tuple(Event("Warning", Reason.UNKNOWN_ANNOTATION, _note(name)) for name in new)


def _note(name: str) -> str:
    found = f"the annotation {name} has no effect"
    if name in _BELONGS:
        return f"{found} here: it belongs {_BELONGS[name]}"
    near = get_close_matches(name, names.REQUESTS, n=1, cutoff=0.8)
    return f"{found}; did you mean {near[0]}?" if near else f"{found}; known are {', '.join(names.REQUESTS)}"
