"""Convert Secrets of the API into facts of bounded size: no more than the operator can have published.

Anyone who may write Secrets of a namespace decides what they contain. A part that exceeds a bound can never equal what
the operator publishes, so it counts as differing, and is not kept at all.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from sys import intern
from typing import Any, Final

from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.domain.observe.secret import SecretFacts

OWNED_MAPS: Final = ("labels", "annotations")
# The schema allows 30 entries of a resource's own beside the operator's 20, and 20 labels and annotations.
MOST_ENTRIES: Final = 128
MOST_BYTES: Final = 512 * 1024  # of all values together; a Secret may have 1 MiB, most of it a CA bundle
MOST_METADATA: Final = 64  # labels, annotations and references that are kept, of each kind
LONGEST_ANNOTATION: Final = 48 * 1024  # characters; SECRET_ENTRIES has 30 templates of 512, escaped
# In place of what is too large. It is never published: every value is text without NUL.
TOO_LARGE: Final = b"\0"
_LONGEST_UID: Final = 128
_LONGEST_NAME: Final = 253
_ALWAYS: Final = (names.MANAGED_BY, f"{names.GROUP}/")
_NO_WRITERS: Mapping[str, str] = {}


def facts(body: Mapping[str, Any]) -> SecretFacts:
    """Convert a Secret of the API, with its values wrapped and bounded.

    Labels and annotations are kept if the operator's field manager owns them or their names are the operator's.
    """
    meta = body["metadata"]
    references = meta.get("ownerReferences") or ()
    controller = owner_of(meta)
    own = {kind: frozenset(islice(sorted(found), MOST_METADATA)) for kind, found in owned(meta).items()}
    return SecretFacts(
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        type=body.get("type") or "Opaque",
        data=dict(_values(body.get("data") or {})),
        labels=_kept(meta.get("labels") or {}, own["labels"]),
        annotations=_kept(meta.get("annotations") or {}, own["annotations"]),
        owner_uid=controller.get("uid"),
        owner_name=controller.get("name"),
        owner_kind=controller.get("kind"),
        referenced_by=frozenset(islice((str(one.get("uid")) for one in references if is_resource(one)), MOST_METADATA)),
        written=_wrote_data(meta),
        immutable=bool(body.get("immutable")),
        deleting="deletionTimestamp" in meta,
        own_labels=_same(own["labels"]),
        own_annotations=_same(own["annotations"]),
        written_by=_written_by(meta),
    )


def size(secret: SecretFacts) -> int:
    """Return about how many bytes the parts of a Secret take whose length others decide."""
    values = sum(len(name) + len(value.get_secret_value()) for name, value in secret.data.items())
    texts = (*secret.labels.items(), *secret.annotations.items(), *secret.written_by.items())
    return values + sum(len(name) + len(text) for name, text in texts)


def publisher(body: Mapping[str, Any]) -> str | None:
    """Return the uid of the resource that published this Secret; None where another party wrote it."""
    meta, controller = body["metadata"], owner_of(body["metadata"])
    managed = (meta.get("labels") or {}).get(names.MANAGED_BY) == names.MANAGER
    ours = managed and body.get("type") == names.SECRET_TYPE and controller.get("kind") == names.KIND
    return str(controller["uid"]) if ours else None


def owner_of(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the owner's uid, name and kind. A controller counts before the annotations, which anyone may copy."""
    controller = next((one for one in meta.get("ownerReferences") or () if one.get("controller")), None)
    if controller is not None:
        return dict(controller)
    annotations = meta.get("annotations") or {}
    uid = annotations.get(names.SECRET_UID)
    if not uid:
        return {}
    name = annotations.get(names.SECRET_RESOURCE)
    return {"uid": uid[:_LONGEST_UID], "name": name and name[:_LONGEST_NAME], "kind": names.KIND}


def is_resource(reference: Mapping[str, Any]) -> bool:
    """Whether an ownerReference names a SecureRedisCache."""
    return reference.get("kind") == names.KIND and str(reference.get("apiVersion", "")).startswith(f"{names.GROUP}/")


def owned(metadata: Mapping[str, Any], *operations: str) -> dict[str, set[str]]:
    """Return the labels and annotations that the operator's field manager owns by `operations`; none given: by all."""
    found: dict[str, set[str]] = {kind: set() for kind in OWNED_MAPS}
    for entry in metadata.get("managedFields") or ():
        if entry.get("manager") != names.FIELD_MANAGER or (operations and entry.get("operation") not in operations):
            continue
        fields = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
        for kind in OWNED_MAPS:
            found[kind] |= {key.removeprefix("f:") for key in fields.get(f"f:{kind}") or {} if key != "."}
    return found


def encode(data: Mapping[str, SecretBytes]) -> dict[str, str]:
    """Encode values as the API takes them: base64."""
    return {name: base64.b64encode(value.get_secret_value()).decode() for name, value in data.items()}


def _values(data: Mapping[str, str]) -> Iterator[tuple[str, SecretBytes]]:
    """Yield the entries within the bounds. With more of them than fit, one that is not declared is among them."""
    left = MOST_BYTES
    for name, text in islice(data.items(), MOST_ENTRIES):
        value = _decode(text) if len(text) * 3 // 4 <= left else TOO_LARGE
        left -= len(value)
        # 1,000 Secrets have the same few names, which are kept once.
        yield intern(name), SecretBytes(value)


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode(value or "", validate=True)
    except binascii.Error:  # the API server would not have taken it
        return b""


def _kept(given: Mapping[str, str], own: frozenset[str]) -> dict[str, str]:
    kept = (name for name in given if name in own or name.startswith(_ALWAYS))
    return {intern(name): _text(given[name]) for name in islice(kept, MOST_METADATA)}


def _text(value: str) -> str:
    return value if len(value) <= LONGEST_ANNOTATION else TOO_LARGE.decode()


def _written_by(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    """Name the field manager of each entry that the operator does not own, as `connection_secret.differs` names it."""
    own: set[str] = set()
    others: dict[str, str] = {}
    for entry in metadata.get("managedFields") or ():
        manager = intern(str(entry.get("manager") or "unknown"))
        found = _fields(entry.get("fieldsV1") or {})
        if manager == names.FIELD_MANAGER:
            own |= set(found)
        else:
            others |= dict.fromkeys(sorted(found), manager)
    left = ((name, manager) for name, manager in others.items() if name not in own)
    return dict(islice(left, MOST_ENTRIES)) or _NO_WRITERS


def _fields(fields: Mapping[str, Any]) -> Iterable[str]:
    meta = fields.get("f:metadata") or {}
    yield from (f"data.{_field(name)}" for name in fields.get("f:data") or {})
    for kind in OWNED_MAPS:
        yield from (f"{kind}[{_field(name)}]" for name in meta.get(f"f:{kind}") or {})


def _field(name: str) -> str:
    return intern(name.removeprefix("f:"))


@lru_cache(maxsize=64)
def _same(own_names: frozenset[str]) -> frozenset[str]:
    return own_names


def _wrote_data(metadata: Mapping[str, Any]) -> bool:
    """Whether the operator's field manager owns data: proof of a write that a removed label does not remove."""
    return any(
        entry.get("manager") == names.FIELD_MANAGER and "f:data" in (entry.get("fieldsV1") or {})
        for entry in metadata.get("managedFields") or ()
    )
