"""Read from ConfigMaps of workloads only the settings about connections without TLS."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.usage import ConfigFacts, ConfigUse
from secure_redis.kube import errors, paths
from secure_redis.kube.client import ApiFailure, Body, KubeClient
from secure_redis.kube.workloads.plaintext_settings import plaintext_in

Answer = ConfigFacts | None | Unknown

MOST: Final = 100  # ConfigMaps that are read for one resource
MOST_ENTRIES: Final = 1000  # of a ConfigMap: its keys are kept
_SIDE_BY_SIDE: Final = 8
_DENIED_SECONDS: Final = 60.0
_FAILED_SECONDS: Final = 1.0


class ConfigMaps:
    """Reads ConfigMaps by name, which needs no permission to list. One answer serves all resources of a namespace.

    It is read again after `ttl` seconds, and its values are searched only if its resourceVersion changed.
    """

    def __init__(self, client: KubeClient, clock: Callable[[], float], ttl: float = 900.0) -> None:
        self._client = client
        self._clock = clock
        self._ttl = ttl
        self._known: dict[tuple[str, str], tuple[float, float, str, Answer]] = {}  # read at, until, version, answer
        self._asking: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self._swept = clock()

    async def read(self, namespace: str, names: Iterable[str], *, fresh: bool = False) -> dict[str, Answer]:
        """Read ConfigMaps by name; None: it does not exist. `fresh`: read now, whatever is known.

        More than `MOST` are not read: those are Unknown.
        """
        self._sweep()
        requested = sorted(set(names))
        found: dict[str, Answer] = {}
        for start in range(0, min(len(requested), MOST), _SIDE_BY_SIDE):
            some = requested[start : min(start + _SIDE_BY_SIDE, MOST)]
            answers = await asyncio.gather(*(self._one((namespace, name), fresh=fresh) for name in some))
            found |= zip(some, answers, strict=True)
        for name in requested[MOST:]:
            found[name] = Unknown(
                Reason.UNKNOWN, f"the workloads refer to more than {MOST} ConfigMaps; ConfigMap {name!r} was not read"
            )
        return found

    async def _one(self, place: tuple[str, str], *, fresh: bool) -> Answer:
        known = self._known.get(place)
        if known is not None and not fresh and self._clock() < known[1]:
            return known[3]
        task = self._asking.get(place)
        if task is None:
            task = self._asking[place] = asyncio.create_task(self._request(place))
            task.add_done_callback(lambda _: self._asking.pop(place, None))
        # The cancellation of one caller must not cancel the others.
        return await asyncio.shield(task)

    async def _request(self, place: tuple[str, str]) -> Answer:
        namespace, name = place
        answer: Answer
        ttl, version = self._ttl, ""
        known = self._known.get(place)
        try:
            body = await self._client.get(paths.config_map(namespace, name))
            version = str(body["metadata"]["resourceVersion"])
            answer = known[3] if known is not None and known[2] == version else facts(body)
        except ApiFailure as failure:
            answer = None
            if failure.status != 404:
                answer = errors.config_map_unreadable(failure, namespace, name)
                ttl = min(ttl, _DENIED_SECONDS if failure.status == 403 else _FAILED_SECONDS)
        now = self._clock()
        self._known[place] = (now, now + ttl, version, answer)
        return answer

    def _sweep(self) -> None:
        """Drop what was not read for two lifetimes."""
        now = self._clock()
        if now - self._swept < self._ttl:
            return
        self._swept = now
        self._known = {place: known for place, known in self._known.items() if now - known[0] < 2 * self._ttl}


def facts(body: Body) -> ConfigFacts | Unknown:
    """Convert a ConfigMap of the API. `binaryData` contains no settings. With too many entries, it is Unknown."""
    if len(body.get("data") or {}) > MOST_ENTRIES:
        name = body["metadata"]["name"]
        why = f"ConfigMap {name!r} has more than {MOST_ENTRIES} entries and was not searched"
        return Unknown(Reason.UNKNOWN, why, permanent=True)
    return ConfigFacts({key: plaintext_in(key, value, public=True) for key, value in (body.get("data") or {}).items()})


def uses(container: Body, pod: Body) -> Iterator[ConfigUse]:
    """Yield where a container of a pod (both as the API has them) takes settings from ConfigMaps.

    Later ones override earlier ones: env overrides envFrom, and its last entry overrides the others.
    """
    for one in container.get("envFrom") or ():
        if name := (one.get("configMapRef") or {}).get("name"):
            yield ConfigUse(name, prefix=str(one.get("prefix") or ""))
    for one in container.get("env") or ():
        reference: Body = (one.get("valueFrom") or {}).get("configMapKeyRef") or {}
        if name := reference.get("name"):
            yield ConfigUse(name, str(reference.get("key") or ""), one["name"])
    mounted = {one["name"] for one in container.get("volumeMounts") or ()}
    for volume in pod.get("volumes") or ():
        if volume["name"] not in mounted:
            continue
        projected = (volume.get("projected") or {}).get("sources") or ()
        for source in (volume, *projected):
            yield from _files(source.get("configMap") or {})


def _files(source: Body) -> Iterator[ConfigUse]:
    name = source.get("name")
    if not name:
        return
    items = source.get("items") or ()
    for item in items:
        yield ConfigUse(name, item["key"], mounted=True)
    if not items:
        yield ConfigUse(name, mounted=True)
