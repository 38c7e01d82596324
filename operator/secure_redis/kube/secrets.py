"""Read, create and apply the published Secret. Values leave this module only wrapped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
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
from secure_redis.domain.plan.secret import adoptable, foreign_secret
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube import errors, paths
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.secret_facts import OWNED_MAPS, encode, facts, is_resource, owned, owner_of
from secure_redis.kube.secret_store import MOST_CLAIMS, SecretStore

SELECTOR: Final = f"{names.MANAGED_BY}={names.MANAGER}"
BY_TYPE: Final = f"type={names.SECRET_TYPE}"  # immutable, so a Secret of the operator's never leaves the list by it


@dataclass(frozen=True, slots=True)
class OwnSecrets:
    """The Secrets of one resource. `listed` False: the operator may not list Secrets, and read the recorded names."""

    secrets: tuple[SecretFacts, ...]
    listed: bool = True


@dataclass(slots=True)
class _Search:
    """The result of a list of a resource's Secrets, where no watch covers the namespace."""

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
        """Read the Secret of that name, of any creator; None if it does not exist.

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

        Where a watch is in step, it knows their names, and the content of all but large ones. Elsewhere, the Secrets
        are listed by label once in the life of the process and after each change of the spec. Where the operator may
        not list them, it reads those whose names the resource's annotation records, or its status.
        """
        claimed, search = self._store.claimed_by(resource.key, resource.uid), None
        if claimed is not None:
            self._searches.pop(resource.key, None)
        else:
            answer = await self._search(resource)
            if isinstance(answer, Unknown):
                return answer
            search, binding = answer, resource.status.binding
            claimed = search.names | {*resource.recorded_secrets, *([binding.name] if binding else ())}
        found: list[SecretFacts] = []
        for name in sorted(claimed - {besides}):
            secret = await self.read(resource.key.namespace, name)
            if isinstance(secret, Unknown):
                return secret
            if secret is not None and secret.owner_uid == resource.uid:
                found.append(secret)
        if search is not None:
            search.names = frozenset(secret.name for secret in found)
        return OwnSecrets(tuple(found), search is None or search.listed)

    async def _search(self, resource: Envelope) -> _Search | Unknown:
        """List the Secrets by label, if this generation of the resource was not searched yet. 403: names are read."""
        known, of = self._searches.get(resource.key), (resource.uid, resource.generation)
        if known is not None and known.of == of:
            return known
        namespace, name = resource.key
        query = {"labelSelector": f"{SELECTOR},{names.CACHE_LABEL}={label_value(name)}", "fieldSelector": BY_TYPE}
        found: set[str] = set()
        try:
            async for page in self._client.pages(paths.secrets(namespace), query, metadata_only=True):
                metadata = (item["metadata"] for item in page.items)
                found |= {str(meta["name"]) for meta in metadata if owner_of(meta).get("uid") == resource.uid}
                if len(found) > MOST_CLAIMS:
                    return _too_many(namespace)
        except ApiFailure as failure:
            if failure.status != 403:
                return errors.unreadable(failure, namespace, "the Secrets of this resource")
            search = _Search(of, known.names if known is not None else frozenset(), listed=False)
        else:
            search = _Search(of, frozenset(found), listed=True)
        self._searches[resource.key] = search
        return search

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._searches.pop(key, None)

    async def create(self, owner: Envelope, action: CreateSecret) -> SecretFacts | WriteFailure:
        """First write. If a Secret has the name already, it is read, and the failure says whose it is."""
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
            if errors.exists(failure):
                found = await self.read(namespace, action.name)
                if isinstance(found, SecretFacts) and found.owner_uid != owner.uid and not adoptable(owner, found):
                    return WriteFailure(Reason.SECRET_FOREIGN, foreign_secret(owner, found))
            return errors.write_refused(failure, namespace, f"Secret {action.name!r}")
        return self._remember(namespace, made)

    async def apply(self, owner: Envelope, action: ApplySecret) -> SecretFacts | WriteFailure:
        """Later writes, by force and on exactly this object.

        Server-side apply alone leaves three things behind, which a second write removes where they are found:

        - data keys of others: the operator owns the Secret's data as a whole (an added key is tampering, and a client
          may mount all of them)
        - labels, annotations and keys that are no longer required and that the operator's first write, a create, owns
        - ownerReferences of resources of this name, which an earlier version set

        Labels and annotations that others added stay.
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


def label_value(name: str) -> str:
    """Return a resource's name as the value of the label: whole (the CRD bounds names to 63 characters)."""
    return name


def _too_many(namespace: str) -> Unknown:
    return Unknown(
        Reason.UNKNOWN,
        f"more than {MOST_CLAIMS} Secrets of namespace {namespace!r} carry this resource's uid in the annotation "
        f"{names.SECRET_UID}; remove it from those that the operator did not publish",
    )


def _left_behind(written: Mapping[str, Any], action: ApplySecret, owner: Envelope) -> dict[str, Any]:
    """Return the merge patch that removes what apply leaves behind; empty if there is nothing."""
    patch: dict[str, Any] = {}
    if foreign := [name for name in written.get("data") or {} if name not in action.data]:
        patch["data"] = dict.fromkeys(foreign)
    metadata = written["metadata"]
    references = metadata.get("ownerReferences") or []
    kept = [one for one in references if not (is_resource(one) and one.get("name") == owner.key.name)]
    if kept != references:
        patch["metadata"] = {"ownerReferences": kept}
    ours = owned(metadata, "Update")
    for kind in OWNED_MAPS:
        required: Mapping[str, str] = getattr(action, kind)
        stale = [
            name
            for name in metadata.get(kind) or {}
            if name not in required and (name in ours[kind] or name.startswith(f"{names.GROUP}/"))
        ]
        if stale:
            patch.setdefault("metadata", {})[kind] = dict.fromkeys(stale)
    return patch
