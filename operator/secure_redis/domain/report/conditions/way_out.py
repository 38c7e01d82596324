"""Name the way out in every message of an object that waits to be deleted. Pure."""

from typing import Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType
from secure_redis.api.resource import Envelope
from secure_redis.api.status import MESSAGE_LIMIT

WAY_OUT: Final = (
    f'; to stop waiting, annotate {names.ABANDON}: "true": the object is removed immediately, and the cache, the '
    "Secret and the injections stay as they are"
)
# The conditions that report what a deletion waits for.
EXPLAINS_WAITING: Final = (
    ConditionType.READY,
    ConditionType.STALLED,
    ConditionType.RECONCILING,
    ConditionType.WORKLOADS_CURRENT,
)


def with_way_out(resource: Envelope, kind: ConditionType, message: str) -> str:
    """Append the annotation that ends the wait, and its effect. The rest of a long message is shortened."""
    waits = resource.deleting and resource.has_finalizer and kind in EXPLAINS_WAITING
    return f"{message[: MESSAGE_LIMIT - len(WAY_OUT)]}{WAY_OUT}" if waits else message
