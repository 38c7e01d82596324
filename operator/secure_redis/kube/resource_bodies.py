"""Reduce the body of a SecureRedisCache to what the operator reads of it, whatever its author added.

An object may have 1.5 MiB: labels, annotations, finalizers and owner references without a bound of their own, and a
spec that uses every bound of the schema. The operator holds the body of each resource, so it holds only these parts.
It does not hold a large spec or status: a pass of that resource reads it again.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.resource import RECORDED_LIMIT

Body = Mapping[str, Any]

LARGEST: Final = 64 * 1024  # bytes of a body that is held; an ordinary one has 4 to 10 KiB
MOST_FINALIZERS: Final = 20  # with more of them, the list is read again before it is changed
_MOST_OTHERS: Final = 20  # labels and annotations of the operator's group that it does not know
_LONGEST: Final = 16 * 1024  # characters of an annotation; names.SECRETS has 50 names
_LONGEST_OTHER: Final = 64  # characters: the longest value of a label
_PARTIAL: Final = "secureredis.io/partial"  # beside apiVersion and kind, where the API server has nothing
_METADATA: Final = (
    *("name", "namespace", "uid", "resourceVersion", "generation"),
    *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
)
_KNOWN: Final = frozenset({*names.REQUESTS, names.OPERATOR, names.SECRETS})


def lean(body: Body) -> dict[str, Any]:
    """Return the body without what no part of the operator reads. The body itself is not changed."""
    meta: Body = body["metadata"]
    kept = {name: meta[name] for name in _METADATA if name in meta}
    if finalizers := meta.get("finalizers"):
        kept["finalizers"] = _finalizers(finalizers)
    for kind in ("labels", "annotations"):
        if own := dict(_own(meta.get(kind) or {})):
            kept[kind] = own
    return {**body, "metadata": kept}


def packed(body: Body) -> bytes | None:
    """Return a lean body as compressed JSON; None: it is too large to be held, or parts of it are missing."""
    if is_partial(body):
        return None
    content = json.dumps(body, separators=(",", ":")).encode()
    return zlib.compress(content, 1) if len(content) <= LARGEST else None  # 5 KiB become 1.2, in 30 µs


def unpacked(content: bytes) -> dict[str, Any]:
    """Return the body that `packed` packed."""
    return dict(json.loads(zlib.decompress(content)))


def partial(body: Body) -> dict[str, Any]:
    """Return the lean body, with only the parts of a large spec or status that are read without a pass."""
    short = lean(body)
    for part, keys in (("spec", ("identity", "drift")), ("status", ("binding",))):
        found = short.get(part) or {}
        if len(json.dumps(found, separators=(",", ":"))) > LARGEST // 2:
            short[part] = {key: found[key] for key in keys if key in found}
            short[_PARTIAL] = True
    if _PARTIAL in short and (name := ((body.get("spec") or {}).get("connection") or {}).get("secretName")):
        short["spec"] = {**short["spec"], "connection": {"secretName": name}}
    return short


def is_partial(body: Body) -> bool:
    """Whether parts of the spec or the status are missing, because they are large."""
    return _PARTIAL in body


def secret_names(body: Body) -> frozenset[str]:
    """Return the names that the resource's Secrets may have: the declared one, and those that the operator recorded."""
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    declared = (spec.get("connection") or {}).get("secretName") or meta["name"]
    recorded = ((meta.get("annotations") or {}).get(names.SECRETS) or "").split(",")
    found = (declared, (status.get("binding") or {}).get("name"), *islice(recorded, RECORDED_LIMIT))
    return frozenset(name.strip() for name in found if name and name.strip())


def _finalizers(listed: list[str]) -> list[str]:
    first = listed[:MOST_FINALIZERS]
    return first if names.FINALIZER in first or names.FINALIZER not in listed else [*first, names.FINALIZER]


def _own(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the operator's own entries. Of those that it does not know only the names count, and few of them."""
    others = 0
    for name, value in given.items():
        if name in _KNOWN:
            yield name, value[:_LONGEST]
        elif name.startswith(f"{names.GROUP}/") and others < _MOST_OTHERS:
            others += 1
            yield name, value[:_LONGEST_OTHER]
