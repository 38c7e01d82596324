"""Search foreign Secrets for a cache's key, or for a connection to it without TLS.

A foreign Secret is one that the operator did not write. The search is off unless the operator's configuration enables
it, and it uses the operator's own permission from the namespace's RoleBinding. Values are searched as they arrive and
then dropped. Between searches the operator keeps only the hosts that are named without TLS, and digests, by which it
finds a given key again. The key of the digests belongs to this process and is stored nowhere. Results are names of
Secrets and of their keys.
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

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.domain.observe.usage import SecretCopy
from secure_redis.kube import errors, paths
from secure_redis.kube.client import ApiFailure, Body, KubeClient
from secure_redis.kube.secret_facts import publisher
from secure_redis.kube.workloads.plaintext_settings import LONGEST_TEXT, hosts_without_tls

SecretKey = tuple[str, str]  # names of a Secret and of a key in it

MOST: Final = 5000  # Secrets of a namespace
MOST_DIGESTS: Final = 50_000  # of a namespace, each with about 300 bytes
_FRESH_SECONDS: Final = 1.0  # how old "now" may be, so that callers at the same time share a search
_FAILED_SECONDS: Final = 5.0
# Types that contain no key of Redis, or only in a packed form.
_NOT_READ: Final = (
    "helm.sh/release.v1",
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "kubernetes.io/tls",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/dockercfg",
)
# Access keys of Azure are 44 characters of base64 and more. Shorter ones are not searched for: they could be guessed.
_KEY = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")


@dataclass(slots=True)
class _Index:
    """The findings of one namespace, by key digest and by host."""

    at: float
    until: float
    failure: Unknown | None = None
    keys: dict[bytes, set[SecretKey]] = field(default_factory=dict)
    hosts: dict[str, set[SecretKey]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)  # of what the operator published: Secret -> uid
    published: frozenset[str] = frozenset()  # those of them whose resource exists: they are not copies


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
        """Whether foreign Secrets are read at all."""
        return self._enabled

    async def search(
        self, namespace: str, keys: Iterable[SecretStr], hosts: Iterable[str], *, fresh: bool = False
    ) -> tuple[SecretCopy, ...] | Unknown | NotRead:
        """Find one of `keys`, or one of `hosts` without TLS; sorted. `fresh`: read now, whatever is known.

        NotRead if the search is off. Unknown if a key has another form than Azure's: it is not searched for.
        """
        if not self._enabled:
            return NOT_READ
        searched = [key.get_secret_value() for key in keys]
        if not all(_KEY.fullmatch(key) for key in searched):
            return Unknown(Reason.UNKNOWN, "the key does not have the form of Azure's, so it is not searched for")
        index = await self._index(namespace, fresh=fresh)
        if index.failure is not None:
            return index.failure
        copies = {place for key in searched for place in index.keys.get(self._digest(key), ())}
        plain = {place for host in hosts for place in index.hosts.get(host.lower(), ())}
        copies, plain = ({place for place in found if place[0] not in index.published} for found in (copies, plain))
        return (
            *(SecretCopy(*place) for place in sorted(copies)),
            *(SecretCopy(*place, plaintext=True) for place in sorted(plain)),
        )

    async def _index(self, namespace: str, *, fresh: bool) -> _Index:
        now = self._clock()
        known = self._known.get(namespace)
        if known is not None and now < (known.at + _FRESH_SECONDS if fresh else known.until):
            return known
        task = self._asking.get(namespace)
        if task is None:
            task = self._asking[namespace] = asyncio.create_task(self._read(namespace))
            task.add_done_callback(lambda _: self._asking.pop(namespace, None))
        # The cancellation of one caller must not cancel the others.
        return await asyncio.shield(task)

    async def _read(self, namespace: str) -> _Index:
        at = self._clock()
        for name in [one for one, index in self._known.items() if at - index.at > 2 * self._ttl]:
            del self._known[name]  # not searched any more
        index = _Index(at, at + self._ttl)
        try:
            index.failure = await self._fill(index, namespace)
        except ApiFailure as failure:
            index.failure = _unreadable(failure, namespace)
            index.until = at + min(self._ttl, _FAILED_SECONDS if failure.status != 403 else 60.0)
        if index.failure is not None:
            index.keys, index.hosts, index.owners = {}, {}, {}
        self._known[namespace] = index
        return index

    async def _fill(self, index: _Index, namespace: str) -> Unknown | None:
        query = {"fieldSelector": ",".join(f"type!={kind}" for kind in _NOT_READ)}
        read = 0
        async for page in self._client.pages(paths.secrets(namespace), query):
            for body in page.items:
                read += 1
                if read > self._most or len(index.keys) + len(index.hosts) > MOST_DIGESTS:
                    why = f"namespace {namespace!r} holds more in Secrets than is searched ({self._most} of them)"
                    return Unknown(Reason.UNKNOWN, why, permanent=True)
                if (owner := publisher(body)) is not None:
                    index.owners[str(body["metadata"]["name"])] = owner
                self._take(index, body)
                await asyncio.sleep(0)  # a large Secret takes milliseconds
        index.published = await self._published(index, namespace)
        return None

    async def _published(self, index: _Index, namespace: str) -> frozenset[str]:
        """Find the Secrets whose resource exists. A Secret of a deleted resource is a copy that no one renews."""
        if not index.owners:
            return frozenset()
        alive: set[str] = set()
        async for page in self._client.pages(paths.resources(namespace), metadata_only=True):
            alive.update(item["metadata"]["uid"] for item in page.items)
        return frozenset(name for name, owner in index.owners.items() if owner in alive)

    def _take(self, index: _Index, body: Body) -> None:
        secret = str(body["metadata"]["name"])
        values = {str(key): _text(value) for key, value in (body.get("data") or {}).items()}
        for key, value in values.items():
            for digest in {self._digest(token) for token in _tokens(value)}:
                index.keys.setdefault(digest, set()).add((secret, key))
        for key, hosts in hosts_without_tls(values).items():
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
    """Yield all parts of a value that have the form of a key; also as written in a URI, or in JSON by PHP."""
    forms = {value, unquote(value), value.replace("\\/", "/")}
    for form in forms:
        for token in _KEY.findall(form):
            yield token
            if token.startswith("//"):  # redis://<key>@host
                yield token[2:]


def _unreadable(failure: ApiFailure, namespace: str) -> Unknown:
    if not errors.by_rbac(failure):
        return errors.unreadable(failure, namespace, "the Secrets")
    return Unknown(
        Reason.NAMESPACE_NOT_BOUND,
        f"the operator may not list Secrets in namespace {namespace!r}: install the chart with "
        f"secrets.searchForeign=true and bind its ClusterRole {errors.NAMESPACE_ROLE} there",
    )
