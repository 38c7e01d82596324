"""Find, inject and release workloads, safely with GitOps: only fields that the resource owns are sent.

Measurements: docs/internals/kubernetes-facts.md#injection-under-gitops.
Server-side apply without force carries the template's annotation and the volume. A strategic merge patch carries the
containers' env and mounts: an apply of those would fail the sync of a manifest that renames a container.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Envelope, SecureRedisCache
from secure_redis.api.spec.spec import LabelSelector, Workload, WorkloadKind
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workloads import BudgetFacts, PodFacts, SecretUser, WorkloadFacts
from secure_redis.domain.plan.actions import WorkloadAction
from secure_redis.domain.plan.rollout.injection import API_VERSIONS
from secure_redis.domain.plan.rollout.workload_checks import follows
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube import errors, paths
from secure_redis.kube.client import ApiFailure, Body, KubeClient, PatchKind
from secure_redis.kube.workloads import consumers, convert, pod_facts
from secure_redis.kube.workloads.injections import Injections, Target
from secure_redis.kube.workloads.managed_fields import managers

CONSENTING: Final = f"{names.INJECT}=true"
_TRIES: Final = 5
_SIDE_BY_SIDE: Final = 8  # reads by name at a time
_MANY: Final = 20  # of one kind by name: one list is cheaper


# Env entries, mounts, volumes and labels of all workloads of one resource: a thousand workloads have some 20,000.
MOST_PARTS: Final = 50_000
TOO_MANY_PARTS: Final = (
    f"the workloads of this resource have more than {MOST_PARTS} env entries, mounts, volumes and labels together. "
    "List fewer workloads in spec.workloads, or remove the label secureredis.io/inject where no key is needed"
)


class _TooManyParts(Exception):
    """The workloads of a resource have more parts than one pass may hold."""


class Workloads:
    """Reads and changes workloads of consenting namespaces. A failure comes back as `Unknown` or `WriteFailure`.

    `enabled` False: the chart gave no permissions on workloads, so nothing is requested.
    """

    def __init__(self, client: KubeClient, injections: Injections | None = None, *, enabled: bool = True) -> None:
        self._client = client
        self._injections = injections or Injections()
        self._enabled = enabled
        self._searching: dict[str, asyncio.Lock] = {}

    @property
    def injections(self) -> Injections:
        """The workloads that may be injected, by resource; `kube.watches` adds to them."""
        return self._injections

    async def injected(self, owner: Envelope) -> frozenset[Target]:
        """Find the workloads that may carry fields of this resource, by managedFields, with or without the label.

        A request is made only where the namespace was not searched yet (`Injections.due`). Where the workloads cannot
        be listed, only those are known that this process injected or that a watch delivered.
        """
        if self._enabled and self._injections.due(owner):
            # The resources of a namespace share one search.
            async with self._searching.setdefault(owner.key.namespace, asyncio.Lock()):
                if self._injections.due(owner):
                    await self._search(owner)
        return self._injections.of(owner.key)

    async def find(
        self, owner: Envelope, entries: Iterable[Workload], named: Iterable[Target] = ()
    ) -> tuple[WorkloadFacts, ...] | Unknown:
        """Find the workloads that are `named` or that `entries` select, each once, sorted by kind and name.

        A workload that does not exist is left out. Unknown if they have more parts than a pass may hold.
        """
        if not self._enabled:
            return no_rights(owner.key.namespace)
        selected = {(entry.kind, selector_of(entry.selector)) for entry in entries if entry.selector is not None}
        found: dict[Target, WorkloadFacts] = {}
        try:
            for kind, selector in sorted(selected):
                found |= {(facts.kind, facts.name): facts for facts in await self._list(owner, kind, selector)}
            found |= await self._named(owner, set(named) - found.keys())
            _check_parts(found.values())
        except ApiFailure as failure:
            return errors.workloads_unreadable(failure, owner.key.namespace, "the workloads")
        except _TooManyParts:
            return Unknown(Reason.UNKNOWN, TOO_MANY_PARTS)
        return tuple(found[place] for place in sorted(found))

    async def inject(self, owner: Envelope, action: WorkloadAction) -> None | WriteFailure:
        """Write the template's annotation and volume, then env and mounts; rehearsed on the server where it takes both.

        Each write holds for exactly this object and for the spec that the one before it answered.
        """
        # First, because a write whose answer is lost may be done.
        manager = names.field_manager(owner.key.name)
        self._injections.add(owner.key.namespace, (action.kind, action.name), [manager], own=True)
        return await self._change(owner, action, release=False)

    async def release(self, owner: Envelope, action: WorkloadAction) -> None | WriteFailure:
        """Remove the operator's fields, and nothing else. A missing object is success."""
        return await self._change(owner, action, release=True)

    async def pods(self, owner: SecureRedisCache, found: WorkloadFacts) -> tuple[PodFacts, ...] | Unknown:
        """Read the pods of one workload that have not ended, in pages. Sorted by name."""
        namespace, resource = owner.key
        query: dict[str, str | int | bool] = {}
        if found.pod_selector:
            query["labelSelector"] = found.pod_selector
        elif found.kind == WorkloadKind.CRON_JOB:
            query["labelSelector"] = "batch.kubernetes.io/job-name"
        pods: list[PodFacts] = []
        try:
            async for page in self._client.pages(paths.pods(namespace), query):
                own = (body for body in page.items if convert.is_pod_of(body, found))
                read = (pod_facts.pod(body, resource, owner.secret_name) for body in own)
                pods += [pod for pod in read if not pod.ended]
        except ApiFailure as failure:
            return errors.workloads_unreadable(failure, namespace, f"the pods of {found.kind} {found.name!r}")
        return tuple(sorted(pods, key=lambda pod: pod.name))

    async def consumers(
        self, owner: SecureRedisCache, secret_name: str, found: Iterable[WorkloadFacts]
    ) -> tuple[PodFacts, ...] | Unknown:
        """Read the unlisted consumers: pods that have not ended, use the Secret and belong to no workload of `found`.

        One list, read in pages. Sorted by name.
        """
        namespace, resource = owner.key
        if not self._enabled:
            return no_rights(namespace)
        followed = [facts for facts in found if follows(owner, facts)]
        pods: list[PodFacts] = []
        try:
            async for page in self._client.pages(paths.pods(namespace)):
                pods += consumers.unlisted(page.items, secret_name, followed, resource)
        except ApiFailure as failure:
            return errors.workloads_unreadable(failure, namespace, "the pods")
        return tuple(sorted(pods, key=lambda pod: pod.name))

    async def secret_users(self, owner: Envelope, secrets: frozenset[str]) -> tuple[SecretUser, ...] | Unknown:
        """Read every workload and pod of the namespace that uses one of the Secrets, listed in the spec or not.

        Without permissions on workloads, there is nothing that the operator can check: the answer is empty.
        """
        if not self._enabled:
            return ()
        namespace, found = owner.key.namespace, list[SecretUser]()
        places = [*(paths.workloads(kind, namespace) for kind in WorkloadKind), paths.pods(namespace)]
        try:
            for path in places:
                async for page in self._client.pages(path):
                    found += consumers.users(page.items, secrets)
        except ApiFailure as failure:
            return errors.workloads_unreadable(failure, namespace, "the workloads and pods that use the Secret")
        return tuple(found)

    async def budgets(self, owner: Envelope, found: Iterable[WorkloadFacts]) -> tuple[BudgetFacts, ...] | Unknown:
        """Read the namespace's PodDisruptionBudgets, and which of the workloads each covers. Sorted by name."""
        namespace = owner.key.namespace
        if not self._enabled:
            return no_rights(namespace)
        workloads, budgets = tuple(found), list[BudgetFacts]()
        try:
            async for page in self._client.pages(paths.budgets(namespace)):
                budgets += [one for one in (consumers.budget(body, workloads) for body in page.items) if one.covers]
        except ApiFailure as failure:
            return errors.budgets_unreadable(failure, namespace)
        return tuple(sorted(budgets, key=lambda one: one.name))

    # --- reading ----------------------------------------------------------------------------------------------------

    async def _get(self, owner: Envelope, kind: str, name: str) -> WorkloadFacts | None:
        try:
            body = await self._client.get(paths.workload(kind, owner.key.namespace, name))
        except ApiFailure as failure:
            if failure.status == 404:
                self._injections.remove(owner.key, (kind, name))
                return None
            raise
        return self._read(owner, body)

    async def _named(self, owner: Envelope, places: set[Target]) -> dict[Target, WorkloadFacts]:
        """Read workloads by name, some at a time; many of a kind by one list, which contains the consenting ones."""
        found: dict[Target, WorkloadFacts] = {}
        for kind in WorkloadKind:
            if sum(place[0] == kind for place in places) > _MANY:
                listed = await self._list(owner, kind, CONSENTING)
                at = {(facts.kind, facts.name): facts for facts in listed}
                found |= {place: at[place] for place in places & at.keys()}
        others = sorted(places - found.keys())
        for start in range(0, len(others), _SIDE_BY_SIDE):
            some = others[start : start + _SIDE_BY_SIDE]
            # All are awaited before a failure is raised, so that none is left running.
            answers = await asyncio.gather(*(self._get(owner, *place) for place in some), return_exceptions=True)
            for place, answer in zip(some, answers, strict=True):
                if isinstance(answer, BaseException):
                    raise answer
                if answer is not None:
                    found[place] = answer
            _check_parts(found.values())
        return found

    async def _list(self, owner: Envelope, kind: WorkloadKind, selector: str) -> list[WorkloadFacts]:
        path, found = paths.workloads(kind, owner.key.namespace), list[WorkloadFacts]()
        async for page in self._client.pages(path, {"labelSelector": selector}):
            found += [self._read(owner, body) for body in page.items]
            _check_parts(found)
        return found

    def _read(self, owner: Envelope, body: Body) -> WorkloadFacts:
        """Convert a workload, and correct what is known of this resource's injections."""
        facts = convert.workload(body, owner.key.name)
        place = (facts.kind, facts.name)
        if facts.owned.anything:
            self._injections.add(owner.key.namespace, place, [names.field_manager(owner.key.name)], own=True)
        else:
            self._injections.remove(owner.key, place)
        return facts

    async def _search(self, owner: Envelope) -> None:
        """List the metadata of every workload of the namespace, with or without the label, for all of its resources."""
        namespace = owner.key.namespace
        try:
            for kind in WorkloadKind:
                async for page in self._client.pages(paths.workloads(kind, namespace), metadata_only=True):
                    for body in page.items:
                        self._injections.add(namespace, (kind, body["metadata"]["name"]), managers(body, kind))
        except ApiFailure:
            self._injections.refused(namespace)  # `find` and `secret_users` report it where it matters
        else:
            self._injections.searched(owner)

    # --- writing ----------------------------------------------------------------------------------------------------

    async def _change(self, owner: Envelope, action: WorkloadAction, *, release: bool) -> None | WriteFailure:
        namespace = owner.key.namespace
        what = f"{action.kind} {action.name!r}"
        try:
            await self._write(owner, action)
        except ApiFailure as failure:
            if release and (failure.status == 404 or errors.replaced(failure)):
                return None
            return errors.workload_refused(failure, namespace, what)
        return None

    async def _write(self, owner: Envelope, action: WorkloadAction) -> None:
        manager = names.field_manager(owner.key.name)
        path = paths.workload(action.kind, owner.key.namespace, action.name)
        head = {"apiVersion": API_VERSIONS[action.kind], "kind": action.kind}

        at = _WriteVersion(action.resource_version, action.generation)

        async def send(kind: PatchKind, body: Body, version: str, dry_run: bool) -> dict[str, Any]:
            metadata = {"name": action.name, "uid": action.uid, "resourceVersion": version}
            return await self._client.patch(
                path,
                {**(head if kind == "apply" else {}), **body, "metadata": metadata},
                kind,
                field_manager=manager,
                dry_run=dry_run,
                strict=True,
            )

        async def patch(kind: PatchKind, body: Body, *, dry_run: bool = False) -> None:
            written = await self._at_generation(path, at, partial(send, kind, body, dry_run=dry_run))
            if not dry_run:
                at.version, at.generation = written["metadata"]["resourceVersion"], written["metadata"]["generation"]

        writes: list[tuple[PatchKind, Body]] = [("apply", action.apply), ("strategic", action.strategic)]
        if action.strategic_first:
            writes.reverse()
        writes = [(kind, body) for kind, body in writes if body]
        if len(writes) > 1:  # a single write needs no rehearsal: it is done or refused as a whole
            if action.rehearsal:
                await patch("strategic", action.rehearsal, dry_run=True)
            if not action.strategic_first:
                # A conflict is reported before anything is written.
                await patch("apply", action.apply, dry_run=True)
        for kind, body in writes:
            await patch(kind, body)

    async def _at_generation(
        self, path: str, at: "_WriteVersion", send: Callable[[str], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        """Send with the resourceVersion as precondition. If only the status changed since, send again with the new one.

        Controllers write the status at any time. After a change of the spec, the plan may be wrong.
        """
        for _ in range(_TRIES):
            try:
                return await send(at.version)
            except ApiFailure as failure:
                if failure.status != 409 or errors.replaced(failure) or errors.field_conflict(failure):
                    raise
                meta = (await self._client.get(path))["metadata"]
                if meta["generation"] != at.generation:
                    raise
                at.version = meta["resourceVersion"]
        return await send(at.version)


@dataclass(slots=True)
class _WriteVersion:
    """The version of a workload that the next write requires."""

    version: str
    generation: int


def _check_parts(found: Iterable[WorkloadFacts]) -> None:
    if sum(map(convert.parts, found)) > MOST_PARTS:
        raise _TooManyParts


def no_rights(namespace: str) -> Unknown:
    """Explain that the chart gave no permissions on workloads."""
    return Unknown(
        Reason.NO_WORKLOAD_RIGHTS,
        f"the operator has no permissions on workloads in namespace {namespace!r}: install the chart with "
        "workloads.enabled=true",
        permanent=True,
    )


def selector_of(selector: LabelSelector) -> str:
    """Write a resource's selector and the consenting label: the server returns only workloads that consent."""
    parts = [f"{key}={value}" for key, value in sorted(selector.match_labels.items())]
    parts += [convert.requirement(one.key, one.operator, one.values) for one in selector.match_expressions]
    return ",".join([CONSENTING, *parts])
