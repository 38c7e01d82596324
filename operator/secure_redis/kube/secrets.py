"""Read, create and apply the published Secret. Values leave this module only wrapped."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any

from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.api.resource import Envelope, Key
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    ApplySecret,
    CreateSecret,
    DeleteSecret,
    ReleaseSecret,
    RemoveOwnerReference,
)
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube import errors, paths
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.secret_store import SecretStore

_OWNED_MAPS = ("labels", "annotations")
_NOBODY: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class OwnSecrets:
    """The Secrets of one resource. `listed` False: the operator may not list Secrets, and read the recorded names."""

    secrets: tuple[SecretFacts, ...]
    listed: bool = True


@dataclass(slots=True)
class _Search:
    """What a list of a resource's Secrets found, where no watch covers the namespace."""

    of: tuple[str, int]  # the resource's uid and generation
    names: frozenset[str]
    listed: bool


class Secrets:
    """Secrets of consenting namespaces. A failure comes back as `Unknown` or `WriteFailure`."""

    def __init__(self, client: KubeClient, store: SecretStore | None = None) -> None:
        self._client = client
        self._store = store or SecretStore()
        self._searches: dict[Key, _Search] = {}

    @property
    def store(self) -> SecretStore:
        """The Secrets that watches deliver; filled by `kube.watches`."""
        return self._store

    async def read(self, namespace: str, name: str) -> SecretFacts | None | Unknown:
        """Read the Secret of that name, whoever created it; None if it does not exist.

        If the namespace's watch is in step and has the Secret, no request is made. A Secret that the watch does not
        have may lack the label, so absence is always checked by a read.
        """
        if (observed := self._store.get(namespace, name)) is not None:
            return observed
        try:
            return facts(await self._client.get(paths.secret(namespace, name)))
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            return errors.unreadable(failure, namespace, f"Secret {name!r}")

    async def published_by(self, resource: Envelope, *, besides: str | None = None) -> OwnSecrets | Unknown:
        """Read all Secrets of this resource, whatever their names; `besides`: the name of one that is left out.

        Where a watch is in step, no request is made. Elsewhere, the Secrets are listed by label once in the life of the
        process and after each change of the spec. Where the operator may not list them, it reads those whose names the
        resource's annotation records, or its status.
        """
        namespace = resource.key.namespace
        if self._store.synced(namespace):
            self._searches.pop(resource.key, None)
            return OwnSecrets(_own(self._store.of_resource(resource.key), resource, besides))
        search = await self._search(resource)
        if isinstance(search, Unknown):
            return search
        recorded = {*resource.recorded_secrets, *([resource.status.binding.name] if resource.status.binding else ())}
        found: list[SecretFacts] = []
        for name in sorted((search.names | recorded) - {besides}):
            secret = await self.read(namespace, name)
            if isinstance(secret, Unknown):
                return secret
            if secret is not None:
                found.append(secret)
        own = _own(found, resource, besides)
        search.names = frozenset(secret.name for secret in own)
        return OwnSecrets(own, search.listed)

    async def _search(self, resource: Envelope) -> _Search | Unknown:
        """List the Secrets by label, if this generation of the resource was not searched yet. 403: names are read."""
        known, of = self._searches.get(resource.key), (resource.uid, resource.generation)
        if known is not None and known.of == of:
            return known
        namespace, name = resource.key
        selector = f"{names.MANAGED_BY}={names.MANAGER},{names.CACHE_LABEL}={label_value(name)}"
        try:
            items = (await self._client.list(paths.secrets(namespace), {"labelSelector": selector})).items
        except ApiFailure as failure:
            if failure.status != 403:
                return errors.unreadable(failure, namespace, "the Secrets of this resource")
            search = _Search(of, known.names if known is not None else frozenset(), listed=False)
        else:
            found = frozenset(str(item["metadata"]["name"]) for item in items)
            search = _Search(of, found, listed=True)
        self._searches[resource.key] = search
        return search

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._searches.pop(key, None)

    async def create(self, owner: Envelope, action: CreateSecret) -> SecretFacts | WriteFailure:
        """First write. AlreadyExists is `SECRET_FOREIGN`: the existing one never belonged to the operator."""
        namespace = owner.key.namespace
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": action.name,
                "namespace": namespace,
                "labels": dict(action.labels),
                "annotations": dict(action.annotations),
            },
            "type": names.SECRET_TYPE,
            "data": encode(action.data),
        }
        try:
            made = await self._client.create(
                paths.secrets(namespace), body, {"fieldManager": names.FIELD_MANAGER, "fieldValidation": "Strict"}
            )
        except ApiFailure as failure:
            return errors.write_refused(failure, namespace, f"Secret {action.name!r}")
        return self._remember(namespace, made)

    async def apply(self, owner: Envelope, action: ApplySecret) -> SecretFacts | WriteFailure:
        """Later writes, by force and on exactly this object.

        Server-side apply alone leaves three things behind, which a second write removes where they are found: data
        keys of others (the operator owns the Secret's data as a whole: an added key is tampering, and a client may
        mount all of them), labels, annotations and keys that the operator's first write, a create, still owns and that
        are no longer required, and ownerReferences of resources of this name, which an earlier version set. Labels and
        annotations that others added stay.
        """
        namespace = owner.key.namespace
        metadata: dict[str, Any] = {
            "name": action.name,
            "namespace": namespace,
            "uid": action.uid,
            "labels": dict(action.labels),
            "annotations": dict(action.annotations),
        }
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": names.SECRET_TYPE,
            "data": encode(action.data),
        }
        path = paths.secret(namespace, action.name)
        try:
            written = await self._client.patch(path, body, "apply", force=True)
            if left := _left_behind(written, action, owner):
                changed = written["metadata"]
                precondition = {"uid": changed["uid"], "resourceVersion": changed["resourceVersion"]}
                left["metadata"] = {**left.get("metadata", {}), **precondition}
                written = await self._client.patch(path, left, "merge")
        except ApiFailure as failure:
            return errors.write_refused(failure, namespace, f"Secret {action.name!r}")
        return self._remember(namespace, written)

    async def release(self, owner: Envelope, action: ReleaseSecret) -> None | WriteFailure:
        """Remove the annotation and the ownerReferences by which the resource owns the Secret, and nothing else."""
        return await self._disown(owner, action, {"annotations": {names.SECRET_UID: None}})

    async def remove_owner_reference(self, owner: Envelope, action: RemoveOwnerReference) -> None | WriteFailure:
        """Remove the resource's ownerReferences, and nothing else, so that the Secret outlives the resource."""
        return await self._disown(owner, action, {})

    async def _disown(
        self, owner: Envelope, action: ReleaseSecret | RemoveOwnerReference, more: Mapping[str, Any]
    ) -> None | WriteFailure:
        namespace = owner.key.namespace
        path = paths.secret(namespace, action.name)
        try:
            now = await self._client.get(path)
            meta = now["metadata"]
            changes = dict(more) if (meta.get("annotations") or {}).get(names.SECRET_UID) == owner.uid else {}
            references = meta.get("ownerReferences") or []
            kept = [reference for reference in references if reference.get("uid") != owner.uid]
            if kept != references:
                changes["ownerReferences"] = kept
            if meta["uid"] != action.uid or not changes:
                return None
            precondition = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
            written = await self._client.patch(path, {"metadata": {**precondition, **changes}}, "merge")
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            return errors.write_refused(failure, namespace, f"Secret {action.name!r}")
        self._remember(namespace, written)
        return None

    async def delete(self, namespace: str, action: DeleteSecret) -> None | WriteFailure:
        """Delete exactly this object; that it is gone already, or another has its name, is success."""
        try:
            await self._client.delete(paths.secret(namespace, action.name), uid=action.uid)
        except ApiFailure as failure:
            if failure.status != 404 and not errors.replaced(failure):
                return errors.write_refused(failure, namespace, f"Secret {action.name!r}")
        self._store.forget(namespace, action.name, action.uid)
        return None

    def _remember(self, namespace: str, body: Mapping[str, Any]) -> SecretFacts:
        observed = facts(body)
        self._store.put(namespace, observed, own=True)
        return observed


def _own(found: Iterable[SecretFacts], resource: Envelope, besides: str | None) -> tuple[SecretFacts, ...]:
    return tuple(secret for secret in found if secret.owner_uid == resource.uid and secret.name != besides)


def facts(body: Mapping[str, Any]) -> SecretFacts:
    """Convert a Secret of the API, with its values wrapped."""
    meta = body["metadata"]
    references = meta.get("ownerReferences") or ()
    owner = _owner(meta)
    owned = _owned(meta, "Update", "Apply")
    return SecretFacts(
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        type=body.get("type") or "Opaque",
        # 1,000 Secrets have the same few names, which are kept once.
        data={intern(name): SecretBytes(_decode(value)) for name, value in (body.get("data") or {}).items()},
        labels={intern(name): value for name, value in (meta.get("labels") or {}).items()},
        annotations={intern(name): value for name, value in (meta.get("annotations") or {}).items()},
        owner_uid=owner.get("uid"),
        owner_name=owner.get("name"),
        owner_kind=owner.get("kind"),
        referenced_by=frozenset(str(one.get("uid")) for one in references if _is_resource(one)),
        written=_wrote_data(meta),
        immutable=bool(body.get("immutable")),
        deleting="deletionTimestamp" in meta,
        own_labels=_same(frozenset(owned["labels"])),
        own_annotations=_same(frozenset(owned["annotations"])),
        written_by=_written_by(meta),
    )


def _written_by(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    """Name the field manager of each entry that the operator does not own, as `connection_secret.differs` names it."""
    own: set[str] = set()
    others: dict[str, str] = {}
    for entry in metadata.get("managedFields") or ():
        fields, manager = entry.get("fieldsV1") or {}, intern(str(entry.get("manager") or "unknown"))
        meta = fields.get("f:metadata") or {}
        found = {f"data.{_field(name)}" for name in fields.get("f:data") or {}}
        found |= {f"{kind}[{_field(name)}]" for kind in _OWNED_MAPS for name in meta.get(f"f:{kind}") or {}}
        if manager == names.FIELD_MANAGER:
            own |= found
        else:
            others |= dict.fromkeys(sorted(found), manager)
    return {name: manager for name, manager in others.items() if name not in own} or _NOBODY


def _field(name: str) -> str:
    return intern(name.removeprefix("f:"))


@lru_cache(maxsize=64)
def _same(own_names: frozenset[str]) -> frozenset[str]:
    return own_names


def publisher(body: Mapping[str, Any]) -> str | None:
    """Return the uid of the resource that published this Secret; None where another party wrote it."""
    meta, owner = body["metadata"], _owner(body["metadata"])
    managed = (meta.get("labels") or {}).get(names.MANAGED_BY) == names.MANAGER
    ours = managed and body.get("type") == names.SECRET_TYPE and owner.get("kind") == names.KIND
    return str(owner["uid"]) if ours else None


def _owner(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the owner's uid, name and kind. A controller counts before the annotations, which anyone may copy."""
    controller = next((one for one in meta.get("ownerReferences") or () if one.get("controller")), None)
    if controller is not None:
        return dict(controller)
    annotations = meta.get("annotations") or {}
    uid = annotations.get(names.SECRET_UID)
    return {"uid": uid, "name": annotations.get(names.SECRET_RESOURCE), "kind": names.KIND} if uid else {}


def _is_resource(reference: Mapping[str, Any]) -> bool:
    return reference.get("kind") == names.KIND and str(reference.get("apiVersion", "")).startswith(f"{names.GROUP}/")


def encode(data: Mapping[str, SecretBytes]) -> dict[str, str]:
    """Encode values as the API takes them: base64."""
    return {name: base64.b64encode(value.get_secret_value()).decode() for name, value in data.items()}


def label_value(name: str) -> str:
    """Return a resource's name as the value of the label: whole (the CRD bounds names to 63 characters)."""
    return name


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode(value or "", validate=True)
    except binascii.Error:  # the API server would not have taken it
        return b""


def _left_behind(written: Mapping[str, Any], action: ApplySecret, owner: Envelope) -> dict[str, Any]:
    """Return the merge patch that removes what apply leaves behind; empty if there is nothing."""
    patch: dict[str, Any] = {}
    if foreign := [name for name in written.get("data") or {} if name not in action.data]:
        patch["data"] = dict.fromkeys(foreign)
    metadata = written["metadata"]
    references = metadata.get("ownerReferences") or []
    kept = [one for one in references if not (_is_resource(one) and one.get("name") == owner.key.name)]
    if kept != references:
        patch["metadata"] = {"ownerReferences": kept}
    ours = _owned(metadata, "Update")
    for kind in _OWNED_MAPS:
        required: Mapping[str, str] = getattr(action, kind)
        stale = [
            name
            for name in metadata.get(kind) or {}
            if name not in required and (name in ours[kind] or name.startswith(f"{names.GROUP}/"))
        ]
        if stale:
            patch.setdefault("metadata", {})[kind] = dict.fromkeys(stale)
    return patch


def _owned(metadata: Mapping[str, Any], *operations: str) -> dict[str, set[str]]:
    """Return the labels and annotations that the operator's field manager owns by `operations` (Update, Apply)."""
    owned: dict[str, set[str]] = {kind: set() for kind in _OWNED_MAPS}
    for entry in metadata.get("managedFields") or ():
        if entry.get("manager") != names.FIELD_MANAGER or entry.get("operation") not in operations:
            continue
        fields = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
        for kind in _OWNED_MAPS:
            owned[kind] |= {key.removeprefix("f:") for key in fields.get(f"f:{kind}") or {} if key != "."}
    return owned


def _wrote_data(metadata: Mapping[str, Any]) -> bool:
    """Whether the operator's field manager owns data: proof of a write that a removed label does not remove."""
    return any(
        entry.get("manager") == names.FIELD_MANAGER and "f:data" in (entry.get("fieldsV1") or {})
        for entry in metadata.get("managedFields") or ()
    )
