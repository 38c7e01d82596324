"""`SecureRedisCache` as all other code uses it: frozen, typed, parsed once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from sys import intern
from typing import Any, NamedTuple

from pydantic import ValidationError

from secure_redis.api import names
from secure_redis.api.azure_ids import CacheID, InvalidResourceID
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.spec.defaults import SpecDefaults
from secure_redis.api.spec.spec import Spec
from secure_redis.api.status import Status

_DEFAULTS = SpecDefaults()
_KNOWN = frozenset({*names.REQUESTS, names.OPERATOR, names.SECRETS})
RECORDED_LIMIT = 50  # names of Secrets that are read from the annotation: more are not the operator's
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME = 253
REFRESH_LIMIT = 1024  # characters, as the schema bounds status.lastHandled


class Key(NamedTuple):
    """A resource's namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The data that every `SecureRedisCache` has, whether or not its spec can be read."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    finalizers: tuple[str, ...]
    requests: Mapping[str, str]  # the operator's own annotations only
    status: Status
    operator: str | None = None  # the install that serves it, by its own annotation
    unknown_annotations: tuple[str, ...] = ()  # of the operator's group, and without effect on a resource
    recorded_secrets: tuple[str, ...] = ()  # the operator's record, where it may not list Secrets

    @property
    def paused(self) -> bool:
        """Whether all writes are stopped by annotation."""
        return self.requests.get(names.PAUSED, "").lower() == "true"

    @property
    def abandoned(self) -> bool:
        """Whether a deletion is to end immediately and to keep everything."""
        return self.requests.get(names.ABANDON, "").lower() == "true"

    @property
    def refresh(self) -> str | None:
        """The value of the refresh request, as far as the status can hold it."""
        value = self.requests.get(names.REFRESH)
        return None if value is None else value[:REFRESH_LIMIT]

    @property
    def refresh_requested(self) -> bool:
        """Whether a pass that reads everything directly is requested.

        A value present in the first pass counts as handled.
        """
        handled = self.status.last_handled
        return self.refresh is not None and handled is not None and self.refresh != handled.refresh

    @property
    def rotate(self) -> str | None:
        """The value of the rotation request, as far as the status can hold it."""
        value = self.requests.get(names.ROTATE)
        return None if value is None else value[:REFRESH_LIMIT]

    @property
    def has_finalizer(self) -> bool:
        """Whether the operator's finalizer is on the object."""
        return names.FINALIZER in self.finalizers


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureRedisCache(Envelope):
    """One resource as the API server stored it, parsed."""

    spec: Spec
    cache: CacheID

    @property
    def secret_name(self) -> str:
        """The name of the Secret that is published."""
        return self.spec.connection.secret_name or self.key.name


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A resource whose spec the operator must not act on. Reason and message go to the status."""

    envelope: Envelope
    reason: Reason
    message: str


def key_of(body: Mapping[str, Any]) -> Key:
    """Namespace and name of an object as the API server delivers it."""
    meta = body["metadata"]
    return Key(intern(meta["namespace"]), intern(meta["name"]))  # every part of the operator keeps them


def parse(body: Mapping[str, Any], defaults: SpecDefaults = _DEFAULTS) -> SecureRedisCache | Unreadable:
    """Parse an object as the API server delivers it. `defaults`: those of the operator's configuration.

    `Unreadable`: the schema was bypassed, or an older CRD let something through.
    """
    found = envelope(body)
    try:
        spec = defaults.applied(Spec.model_validate(body.get("spec") or {}))
        cache = CacheID.parse(spec.resource_id)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Unreadable(found, Reason.INVALID_SPEC, f"spec.{where}: {first['msg']}")
    except InvalidResourceID as error:
        return Unreadable(found, Reason.INVALID_RESOURCE_ID, f"spec.resourceID: {error}")
    known = {field.name: getattr(found, field.name) for field in fields(found)}
    return SecureRedisCache(**known, spec=spec, cache=cache)


def status_of(body: Mapping[str, Any]) -> Status:
    """Return the status of an object, without the parts that another version wrote in another form.

    The next pass writes them again.
    """
    found = dict(body.get("status") or {})
    while True:
        try:
            return Status.model_validate(found)
        except ValidationError as error:
            wrong = {str(one["loc"][0]) for one in error.errors(include_input=False, include_url=False) if one["loc"]}
            if not wrong & found.keys():
                return Status()
            found = {name: value for name, value in found.items() if name not in wrong}


def envelope(body: Mapping[str, Any]) -> Envelope:
    """Return what an object has whatever its spec is."""
    meta = body["metadata"]
    annotations = meta.get("annotations") or {}
    return Envelope(
        key=key_of(body),
        uid=meta["uid"],
        generation=int(meta.get("generation") or 0),
        resource_version=meta["resourceVersion"],
        deleting="deletionTimestamp" in meta,
        finalizers=tuple(meta.get("finalizers") or ()),
        requests={name: annotations[name] for name in names.REQUESTS if name in annotations},
        status=status_of(body),
        operator=annotations.get(names.OPERATOR),
        unknown_annotations=tuple(
            sorted(name for name in annotations if name.startswith(f"{names.GROUP}/") and name not in _KNOWN)
        ),
        recorded_secrets=_recorded(annotations.get(names.SECRETS, "")),
    )


def _recorded(text: str) -> tuple[str, ...]:
    listed = sorted({name.strip() for name in text.split(",")})
    return tuple(name for name in listed if _NAME.fullmatch(name) and len(name) <= _LONGEST_NAME)[:RECORDED_LIMIT]
