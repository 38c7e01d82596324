"""Check that the CRD in the cluster knows every status field that this operator writes.

The API server drops the fields that its schema does not know, and answers 200. An older CRD would lose an intent that
was recorded before a key is regenerated, and every pass would write the dropped fields again. The schema is read from
the OpenAPI document, not from the CRD itself: every authenticated identity may read it (ClusterRole system:discovery).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel

from secure_redis.api import names
from secure_redis.api.status import Status
from secure_redis.kube.client import KubeClient

_PATH: Final = f"/openapi/v3/apis/{names.GROUP}/{names.VERSION}"
Schema = Mapping[str, Any]


async def missing_fields(client: KubeClient) -> tuple[str, ...]:
    """Return the status fields that the served CRD does not know, sorted; a missing part represents all in it.

    Raises:
        ApiFailure: the document cannot be read: 404 for a moment after the CRD was installed, 403 where
            system:discovery was taken away.

    """
    document = await client.get(_PATH)
    schemas = (document.get("components") or {}).get("schemas") or {}
    resource = next((schema for schema in schemas.values() if _is_resource(schema)), None)
    known = ((resource or {}).get("properties") or {}).get("status")
    return tuple(sorted(_missing(_fields(Status), known))) if known is not None else ("status",)


def _is_resource(schema: Schema) -> bool:
    kinds = schema.get("x-kubernetes-group-version-kind") or ()
    return any(one.get("kind") == names.KIND and one.get("version") == names.VERSION for one in kinds)


def _fields(annotation: Any) -> dict[str, Any]:
    """Return every field of the models in a type as nested names; a leaf is empty."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return {field.serialization_alias or name: _fields(field.annotation) for name, field in fields}
    found: dict[str, Any] = {}
    for inner in get_args(annotation):
        found |= _fields(inner)
    return found


def _missing(required: Mapping[str, Any], known: Schema, at: str = "status") -> Iterator[str]:
    while known.get("type") == "array":
        known = known.get("items") or {}
    if known.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in known:
        return
    properties = known.get("properties") or {}
    for name, inner in required.items():
        if name not in properties:
            yield f"{at}.{name}"
        elif inner:
            yield from _missing(inner, properties[name], f"{at}.{name}")
