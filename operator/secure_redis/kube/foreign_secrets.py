"""Where, in Secrets that are not ours, a cache's key or a connection to it without TLS lies.

Off unless the operator's configuration says otherwise. The right that is used is the operator's own, of the namespace's
RoleBinding. Values are searched as they arrive and dropped: what is kept between searches are hosts that are named
without TLS, and digests under a key of this process that is stored nowhere, by which a given key can be found again.
What leaves is names of Secrets and of their keys.
"""

import asyncio
import base64
import binascii
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final
from urllib.parse import unquote

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.domain.observe.usage import SecretCopy
from secure_redis.kube import errors, paths
from secure_redis.kube.client import ApiFailure, Body, KubeClient
from secure_redis.kube.workloads.plaintext_settings import LONGEST_TEXT, hosts_in_clear

Place = tuple[str, str]  # names of a Secret and of a key in it

PAGE: Final = 50  # Secrets at a time: each may have a MiB
MOST: Final = 5000  # Secrets of a namespace
MOST_DIGESTS: Final = 200_000
_FRESH_SECONDS: Final = 1.0  # "now" for one that asks beside others
_FAILED_SECONDS: Final = 5.0
# What holds no key of Redis, and what is packed so that none could be found in it.
_NOT_READ: Final = (
    "helm.sh/release.v1",
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "kubernetes.io/tls",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/dockercfg",
)
# Access keys of Azure are 44 characters of base64 and more. Shorter ones are not looked for: they could be guessed.
_KEY = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")


@dataclass(slots=True)
class _Index:
    """What was found in one namespace, to be asked for keys and hosts."""

    at: float
    until: float
    failure: Unknown | None = None
    keys: dict[bytes, set[Place]] = field(default_factory=dict)
    hosts: dict[str, set[Place]] = field(default_factory=dict)


class ForeignSecrets:
    """One list of a namespace's Secrets serves all its resources for `ttl` seconds. `most`: Secrets that are read."""

    def __init__(
        self,
        client: KubeClient,
        clock: Callable[[], float],
        *,
        enabled: bool = False,
        ttl: float = 900.0,
        most: int = MOST,
    ) -> None:
        self._client = client
        self._clock = clock
        self._enabled = enabled
        self._ttl = ttl
        self._most = most
        self._salt = secrets.token_bytes(32)
        self._known: dict[str, _Index] = {}
        self._asking: dict[str, asyncio.Task[_Index]] = {}

    @property
    def enabled(self) -> bool:
        """Whether they are read at all."""
        return self._enabled

    async def search(
        self, namespace: str, keys: Iterable[SecretStr], hosts: Iterable[str], *, fresh: bool = False
    ) -> tuple[SecretCopy, ...] | Unknown | NotRead:
        """Where one of `keys`, or one of `hosts` without TLS, lies; sorted. `fresh`: asked now, whatever is known.

        NotRead where it is switched off. A key of another shape than Azure's is not looked for: Unknown says so.
        """
        if not self._enabled:
            return NOT_READ
        wanted = [key.get_secret_value() for key in keys]
        if not all(_KEY.fullmatch(key) for key in wanted):
            return Unknown(Reason.UNKNOWN, "the key has not the form of Azure's, so that it is not looked for")
        index = await self._index(namespace, fresh=fresh)
        if index.failure is not None:
            return index.failure
        copies = {place for key in wanted for place in index.keys.get(self._digest(key), ())}
        plain = {place for host in hosts for place in index.hosts.get(host.lower(), ())}
        return (
            *(SecretCopy(*place) for place in sorted(copies)),
            *(SecretCopy(*place, plaintext=True) for place in sorted(plain)),
        )

    async def _index(self, namespace: str, *, fresh: bool) -> _Index:
        now = self._clock()
        held = self._known.get(namespace)
        if held is not None and now < (held.at + _FRESH_SECONDS if fresh else held.until):
            return held
        task = self._asking.get(namespace)
        if task is None:
            task = self._asking[namespace] = asyncio.create_task(self._read(namespace))
            task.add_done_callback(lambda _: self._asking.pop(namespace, None))
        # One caller's cancellation is not the others'.
        return await asyncio.shield(task)

    async def _read(self, namespace: str) -> _Index:
        at = self._clock()
        for name in [one for one, index in self._known.items() if at - index.at > 2 * self._ttl]:
            del self._known[name]  # nobody asks any more
        index = _Index(at, at + self._ttl)
        try:
            index.failure = await self._fill(index, namespace)
        except ApiFailure as failure:
            index.failure = _unreadable(failure, namespace)
            index.until = at + min(self._ttl, _FAILED_SECONDS if failure.status != 403 else 60.0)
        if index.failure is not None:
            index.keys, index.hosts = {}, {}
        self._known[namespace] = index
        return index

    async def _fill(self, index: _Index, namespace: str) -> Unknown | None:
        asked: dict[str, str | int | bool] = {
            "limit": min(PAGE, self._most),
            "fieldSelector": ",".join(f"type!={kind}" for kind in _NOT_READ),
        }
        read = 0
        while True:
            page = await self._client.get(paths.secrets(namespace), asked)
            items = page.get("items") or ()
            read += len(items)
            for body in items:
                if not _ours(body):
                    self._take(index, body)
                    await asyncio.sleep(0)  # a large Secret takes milliseconds
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return None
            if read >= self._most or len(index.keys) > MOST_DIGESTS:
                why = f"namespace {namespace!r} holds more in Secrets than is searched ({self._most} of them)"
                return Unknown(Reason.UNKNOWN, why, permanent=True)
            asked["continue"] = more

    def _take(self, index: _Index, body: Body) -> None:
        secret = str(body["metadata"]["name"])
        values = {str(key): _text(value) for key, value in (body.get("data") or {}).items()}
        for key, value in values.items():
            for digest in {self._digest(token) for token in _tokens(value)}:
                index.keys.setdefault(digest, set()).add((secret, key))
        for key, hosts in hosts_in_clear(values).items():
            for host in hosts:
                index.hosts.setdefault(host, set()).add((secret, key))

    def _digest(self, text: str) -> bytes:
        return blake2b(text.encode(), key=self._salt, digest_size=16).digest()


def _text(value: str) -> str:
    try:
        return base64.b64decode(value or "", validate=True)[:LONGEST_TEXT].decode("utf-8", "replace")
    except binascii.Error:  # the API server would not have taken it
        return ""


def _tokens(value: str) -> Iterator[str]:
    """Everything in a value that has the form of a key; also as it is written in a URI, or in JSON by PHP."""
    forms = {value, unquote(value), value.replace("\\/", "/")}
    for form in forms:
        for token in _KEY.findall(form):
            yield token
            if token.startswith("//"):  # redis://<key>@host
                yield token[2:]


def _ours(body: Body) -> bool:
    """Whether a resource of ours publishes it: its controller is a SecureRedisCache."""
    return any(
        owner.get("controller")
        and owner.get("kind") == names.KIND
        and str(owner.get("apiVersion") or "").startswith(f"{names.GROUP}/")
        for owner in body["metadata"].get("ownerReferences") or ()
    )


def _unreadable(failure: ApiFailure, namespace: str) -> Unknown:
    if not errors.by_rbac(failure):
        return errors.unreadable(failure, namespace, "the Secrets")
    return Unknown(
        Reason.NAMESPACE_NOT_BOUND,
        f"the operator may not list Secrets in namespace {namespace!r}: install the chart with "
        f"secrets.searchForeign=true and bind its ClusterRole {errors.NAMESPACE_ROLE} there",
    )
