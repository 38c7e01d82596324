"""Write the finalizer and the status of SecureRedisCaches, with preconditions, and never the spec."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from secure_redis.api import names
from secure_redis.api.resource import Envelope, Key, status_of
from secure_redis.api.status import Status
from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient, Listed
from secure_redis.kube.history import version_of
from secure_redis.kube.installs import Installs, Standing
from secure_redis.kube.resource_bodies import MOST_FINALIZERS

_TRIES = 4


class ResourceGone(Exception):
    """The resource was deleted (or re-created under its name), so there is nothing to write to."""

    def __init__(self, key: Key) -> None:
        super().__init__(f"{key} is gone")


class ResourceChanged(Exception):
    """The resource is newer than the body of the pass. The pass is void, and the next one has the new body."""

    def __init__(self, key: Key) -> None:
        super().__init__(f"{key} changed during the reconcile")


class Resources:
    """Reads and writes SecureRedisCaches. Other failures than the two above are raised as `ApiFailure`."""

    def __init__(
        self,
        client: KubeClient,
        dropped: Callable[[Sequence[str]], None] = lambda fields: None,
        install: str | None = None,
    ) -> None:
        """`dropped(fields)`: the API server dropped these of a status, because its CRD does not know them.

        `install`: the name by which resources are claimed; None: none is claimed, and no claim counts.
        """
        self._client = client
        self._install = install
        self._installs = Installs(client)
        self._dropped = dropped
        self._left: dict[str, dict[str, Any]] = {}  # by uid: the dropped part of the last status

    async def get(self, key: Key) -> Mapping[str, Any] | None:
        """Read the newest body, or None."""
        try:
            return await self._client.get(paths.resource(*key))
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            raise

    async def pages(self, namespaces: Sequence[str], known: Mapping[str, str]) -> AsyncIterator[Listed]:
        """List the resources of these namespaces (none: of all) page by page: only one page is in memory.

        `known`: the versions that were known when the list began, by namespace and name.

        Raises:
            HistoryRewritten: an object is older than it was known.

        """
        for namespace in namespaces or (None,):
            async for page in self._client.pages(paths.resources(namespace)):
                self._client.history.compare(paths.resources(), known, map(version_of, page.items))
                yield page

    def served_elsewhere(self, resource: Envelope) -> bool:
        """Whether another install of the operator has claimed the resource."""
        return self._install is not None and resource.operator not in (None, self._install)

    async def standing(self, resource: Envelope) -> Standing:
        """Return whether the other install that has claimed the resource still runs.

        Raises:
            ApiFailure: the API server did not answer.

        """
        return await self._installs.look(resource.operator or "")

    def unclaimed(self, resource: Envelope) -> bool:
        """Whether no install has claimed the resource yet, or its claim was removed."""
        free = self._install is not None and resource.operator is None
        return free and not (resource.deleting or resource.paused)

    async def claim(self, resource: Envelope) -> Mapping[str, Any]:
        """Claim it, in exactly the version that was read. Returns the new body.

        Raises:
            ResourceGone: deleted meanwhile.
            ResourceChanged: another party wrote it meanwhile, perhaps another install.

        """
        precondition = {"uid": resource.uid, "resourceVersion": resource.resource_version}
        try:
            return await self._client.patch(
                paths.resource(*resource.key), {"metadata": {**precondition, **self._claim()}}, "merge"
            )
        except ApiFailure as failure:
            raise _typed(failure, resource.key) from None

    async def add_finalizer(self, resource: Envelope) -> Mapping[str, Any]:
        """Add the operator's finalizer and its claim. Returns the new body.

        Raises:
            ResourceGone: deleted meanwhile.
            ResourceChanged: others wrote at the same time, repeatedly.

        """
        return await self._finalizers(
            resource, lambda old: old if names.FINALIZER in old else [*old, names.FINALIZER], self._claim()
        )

    async def record_secrets(self, resource: Envelope, secrets: Sequence[str]) -> Mapping[str, Any]:
        """Annotate the object with the names of its Secrets, in exactly the version that was read.

        Raises:
            ResourceGone: deleted meanwhile.
            ResourceChanged: another party wrote it meanwhile.

        """
        annotations = {names.SECRETS: ",".join(secrets) or None}
        metadata = {"uid": resource.uid, "resourceVersion": resource.resource_version, "annotations": annotations}
        try:
            return await self._client.patch(paths.resource(*resource.key), {"metadata": metadata}, "merge")
        except ApiFailure as failure:
            raise _typed(failure, resource.key) from None

    async def remove_finalizer(self, resource: Envelope) -> Mapping[str, Any] | None:
        """Remove the operator's finalizer. Returns the new body, None if the object is gone: both are the goal.

        Raises:
            ResourceChanged: others wrote at the same time, repeatedly.

        """
        try:
            return await self._finalizers(resource, lambda old: [name for name in old if name != names.FINALIZER])
        except ResourceGone:
            return None

    async def write_status(self, resource: Envelope, status: Status) -> Mapping[str, Any] | None:
        """Write what differs from `resource.status`, on exactly the version that was read. None: nothing differs.

        A field that an older CRD dropped is not written again until something else differs: no write per pass.

        Raises:
            ResourceGone: deleted meanwhile.
            ResourceChanged: another party wrote it meanwhile.

        """
        changes = merge_patch(resource.status.document(), status.document())
        if not changes or changes == self._left.get(resource.uid):
            return None
        precondition = {"uid": resource.uid, "resourceVersion": resource.resource_version}
        try:
            body = await self._client.patch(
                paths.resource(*resource.key, "status"), {"metadata": precondition, "status": changes}, "merge"
            )
        except ApiFailure as failure:
            raise _typed(failure, resource.key) from None
        self._compare(resource.uid, status, body)
        return body

    def forget_dropped(self) -> None:
        """Forget what the CRD dropped: it may know the fields now, so the next pass of each resource writes them."""
        self._left.clear()

    def _claim(self) -> dict[str, Any]:
        return {"annotations": {names.OPERATOR: self._install}} if self._install is not None else {}

    def _compare(self, uid: str, status: Status, body: Mapping[str, Any]) -> None:
        left = merge_patch(status_of(body).document(), status.document())
        if not left:
            self._left.pop(uid, None)
            return
        self._left[uid] = left
        self._dropped(tuple(_paths(left)))

    async def _finalizers(
        self, resource: Envelope, change: Callable[[list[str]], list[str]], more: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        version, before = resource.resource_version, list(resource.finalizers)
        if len(before) >= MOST_FINALIZERS:  # not all of them were kept
            body = await self.get(resource.key)
            if body is None or body["metadata"]["uid"] != resource.uid:
                raise ResourceGone(resource.key)
            if body["metadata"]["resourceVersion"] != version:
                raise ResourceChanged(resource.key)
            before = body["metadata"].get("finalizers") or []
        for _ in range(_TRIES):
            metadata = {"uid": resource.uid, "resourceVersion": version, "finalizers": change(before), **(more or {})}
            try:
                return await self._client.patch(paths.resource(*resource.key), {"metadata": metadata}, "merge")
            except ApiFailure as failure:
                typed = _typed(failure, resource.key)
                if not isinstance(typed, ResourceChanged):
                    raise typed from None
            body = await self.get(resource.key)
            if body is None or body["metadata"]["uid"] != resource.uid:
                raise ResourceGone(resource.key)
            claimed = (body["metadata"].get("annotations") or {}).get(names.OPERATOR)
            if more and claimed not in (None, self._install):
                raise ResourceChanged(resource.key)
            version, before = body["metadata"]["resourceVersion"], body["metadata"].get("finalizers") or []
            if change(before) == before:
                return body
        raise ResourceChanged(resource.key)


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7396) from `old` to `new`: vanished members as null, lists as a whole."""
    changes: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            if inner := merge_patch(before, value):
                changes[name] = inner
        elif name not in old or before != value:
            changes[name] = value
    return changes


def _paths(changes: Mapping[str, Any], at: str = "status") -> Iterator[str]:
    for name, value in changes.items():
        if isinstance(value, Mapping) and value:
            yield from _paths(value, f"{at}.{name}")
        else:
            yield f"{at}.{name}"


def _typed(failure: ApiFailure, key: Key) -> Exception:
    if failure.status == 404:
        return ResourceGone(key)
    if failure.status == 409:
        # A wrong uid is a conflict too; the next read shows which it is.
        return ResourceChanged(key)
    return failure
