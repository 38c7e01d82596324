"""The parts of an object's body that the schedule compares. Those that it keeps: `kube.resource_bodies`."""

from collections.abc import Mapping
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.sharing import Shared

Body = Mapping[str, Any]

_shared: Final = Shared(64)  # nearly all resources have the same marks


def fingerprint(body: Body) -> tuple[Any, ...]:
    """Return the parts that cause a pass: object, spec (by generation), deletion, own annotations and labels."""
    meta = body["metadata"]
    own = tuple(
        sorted(
            (kind, name, value)
            for kind in ("annotations", "labels")
            for name, value in (meta.get(kind) or {}).items()
            if name.startswith(f"{names.GROUP}/") and name != names.OPERATOR  # which the operator writes itself
        )
    )
    return meta["uid"], meta.get("generation"), "deletionTimestamp" in meta, own


def marks(body: Body) -> frozenset[str]:
    """Return what only the operator sets on the object: its claim and its finalizer."""
    meta = body["metadata"]
    claim = (meta.get("annotations") or {}).get(names.OPERATOR)
    finalizers = {names.FINALIZER} & frozenset(meta.get("finalizers") or ())
    return _shared(frozenset(finalizers if claim is None else {*finalizers, claim}))
