"""Checks whether resources can be served: the CRD may be missing or older, or a permission may be missing."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.crd_schema import missing_fields

_log = logging.getLogger(__name__)

_CHECK = 300.0  # seconds between two checks of a served CRD; no event reports when it is replaced
_NAMED = 5  # missing fields that a message names

_APPLY = "run kubectl apply --server-side -f crds/"
NOT_INSTALLED = f"the CRD is not installed: {_APPLY} (or install the chart with crds.enabled)"
OLDER = (
    f"the CRD is older than this operator: {_APPLY} with the files of the operator's own version (or upgrade the chart "
    "with crds.enabled); it does not know {fields}"
)


class Served:
    """Checks whether resources can be served. It logs an obstacle once and waits until it is gone."""

    def __init__(self, namespaces: Sequence[str]) -> None:
        self.healed: Callable[[], None] = lambda: None  # called when the CRD is no longer too old
        self._namespaces = namespaces
        self._crd = ""
        self._rights = ""
        self._check_again = asyncio.Event()

    def obstacle(self) -> str | None:
        """Return the obstacle that the last check found, as the sentence for /readyz; None: there is none."""
        return self._crd or self._rights or None

    def dropped(self, fields: Sequence[str]) -> None:
        """The API server dropped fields of a status that was written: the CRD was replaced by an older one."""
        if not self._crd:
            self._update(_older(fields), self._rights)
            self._check_again.set()

    async def check(self, client: KubeClient, *, rights: bool = True) -> bool:
        """Whether resources can be served: the CRD is there, not older, and (`rights`) they may be listed."""
        crd = await self._schema(client)
        listed = await self._listed(client) if rights and not crd else self._rights
        self._update(crd, listed)
        return not (crd or (rights and listed))

    async def watch(self, client: KubeClient) -> None:
        """Check again and again. A standby does only this: with an older CRD it is not ready."""
        while True:
            well = await self.check(client, rights=False)
            pause = _CHECK if well else 4.0
            self._check_again.clear()
            try:
                async with asyncio.timeout(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                    await self._check_again.wait()
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(random.uniform(1.0, 2.0))  # noqa: S311 - the document follows the CRD a little later

    async def _schema(self, client: KubeClient) -> str:
        try:
            missing = await missing_fields(client)
        except ApiFailure as failure:
            if failure.status == 404:
                return NOT_INSTALLED
            # Not readable proves nothing: a dropped field is noticed at the first write.
            _log.info("the CRD's schema cannot be read", extra={"why": failure.message})
            return ""
        return _older(missing) if missing else ""

    async def _listed(self, client: KubeClient) -> str:
        try:
            for namespace in self._namespaces or (None,):
                await client.get(paths.resources(namespace), {"limit": 1})
        except ApiFailure as failure:
            return NOT_INSTALLED if failure.status == 404 else failure.message
        return ""

    def _update(self, crd: str, rights: str) -> None:
        before, was_older = self.obstacle(), bool(self._crd)
        self._crd, self._rights = crd, rights
        now = self.obstacle()
        if now and now != before:
            _log.warning("waiting: resources cannot be served", extra={"why": now})
        elif before and not now:
            _log.info("resources can be served")
        if was_older and not crd:
            self.healed()


def _older(fields: Sequence[str]) -> str:
    more = f" and {len(fields) - _NAMED} more fields" if len(fields) > _NAMED else ""
    return OLDER.format(fields=", ".join(fields[:_NAMED]) + more)
