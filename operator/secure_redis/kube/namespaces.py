"""What a pass must know of namespaces: whether one is going, and which cluster this is."""

from collections.abc import Callable

from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient


class Namespaces:
    """Answers are kept for `ttl` seconds: a pass that is late by that finds the API server refusing anyway."""

    def __init__(self, client: KubeClient, clock: Callable[[], float], ttl: float = 10.0) -> None:
        self._client = client
        self._clock = clock
        self._ttl = ttl
        self._known: dict[str, tuple[float, bool]] = {}
        self._cluster_uid = ""

    async def terminating(self, namespace: str, *, fresh: bool = False) -> bool:
        """Whether the namespace is being deleted (or gone). Without the right to read namespaces: False.

        `fresh`: asked now, for what cannot be taken back.

        Raises:
            ApiFailure: the API server could not be asked.

        """
        until, answer = self._known.get(namespace, (float("-inf"), False))
        if not fresh and self._clock() < until:
            return answer
        try:
            body = await self._client.get(paths.namespace(namespace))
            answer = "deletionTimestamp" in body["metadata"]
        except ApiFailure as failure:
            if failure.status not in (403, 404):
                raise
            # Writes into a namespace that goes are refused with a cause of their own, so not knowing is safe.
            answer = failure.status == 404
        self._known[namespace] = (self._clock() + self._ttl, answer)
        return answer

    async def cluster_uid(self) -> str:
        """The uid of kube-system, which names this cluster in ownership tags in Azure. Read once.

        Raises:
            ApiFailure: it could not be read; without it nothing is created and nothing is taken for our own.

        """
        if not self._cluster_uid:
            self._cluster_uid = str((await self._client.get(paths.namespace("kube-system")))["metadata"]["uid"])
        return self._cluster_uid
