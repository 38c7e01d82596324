"""ServiceAccounts: their consent, and their tokens for Azure."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.identity import NamespaceIdentity, ServiceAccountFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.kube import errors, paths
from secure_redis.kube.client import ApiFailure, KubeClient

TOKEN_SECONDS: Final = 3600  # the longest that the chart's admission policy allows; Kubernetes allows no less than 600

# The part that is kept of annotations, which may have 256 KiB: names of resources, and ids of 36 characters.
_LONGEST_ALLOW: Final = 32 * 1024
_LONGEST_ID: Final = 256

Answer = ServiceAccountFacts | None | Unknown


class TokenRefused(Exception):
    """There is no token for this ServiceAccount; `why` goes to the status."""

    def __init__(self, why: Unknown) -> None:
        super().__init__(why.message)
        self.why = why


class ServiceAccounts:
    """Keeps reads for `ttl` seconds, for all resources of a namespace, and failures for 1 second."""

    def __init__(self, client: KubeClient, clock: Callable[[], float], ttl: float = 30.0) -> None:
        self._client = client
        self._clock = clock
        self._ttl = ttl
        self._known: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    async def read(self, namespace: str, name: str) -> Answer:
        """Read the ServiceAccount's consent and identity; None if it does not exist."""
        place = (namespace, name)
        until, answer = self._known.get(place, (float("-inf"), None))
        if self._clock() < until:
            return answer
        task = self._asking.get(place)
        if task is None:
            task = self._asking[place] = asyncio.create_task(self._request(place))
            task.add_done_callback(lambda _: self._asking.pop(place, None))
        # The cancellation of one caller must not cancel the others.
        return await asyncio.shield(task)

    def forget(self, namespace: str, name: str) -> None:
        """Drop the answer, so that the next read is a new one: a token was refused."""
        self._known.pop((namespace, name), None)

    async def token(self, identity: NamespaceIdentity) -> SecretStr:
        """Request a token of the ServiceAccount for exactly the audience of Entra's federation, for an hour.

        Not cached here: it is exchanged immediately and the result is cached under the identity.

        Raises:
            TokenRefused: the namespace has not consented, or the ServiceAccount was deleted or re-created.

        """
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": identity.service_account, "namespace": identity.namespace, "uid": identity.uid},
            "spec": {"audiences": [names.TOKEN_AUDIENCE], "expirationSeconds": TOKEN_SECONDS},
        }
        path = paths.service_account_token(identity.namespace, identity.service_account)
        try:
            answer = await self._client.create(path, body)
        except ApiFailure as failure:
            self.forget(identity.namespace, identity.service_account)
            raise TokenRefused(_why(failure, identity)) from None
        token = (answer.get("status") or {}).get("token")
        if not isinstance(token, str) or not token:
            raise TokenRefused(Unknown(Reason.UNKNOWN, "the API server's answer to a token request holds no token"))
        return SecretStr(token)

    async def _request(self, place: tuple[str, str]) -> Answer:
        namespace, name = place
        answer: Answer
        ttl = self._ttl
        try:
            answer = facts(await self._client.get(paths.service_account(namespace, name)))
        except ApiFailure as failure:
            answer = (
                None if failure.status == 404 else errors.unreadable(failure, namespace, f"ServiceAccount {name!r}")
            )
        if answer is None or isinstance(answer, Unknown):
            ttl = min(ttl, 1.0)  # a repair works immediately; passes at the same time still share the answer
        self._known[place] = (self._clock() + ttl, answer)
        return answer


def facts(body: dict[str, Any]) -> ServiceAccountFacts:
    """Convert a ServiceAccount of the API."""
    meta = body["metadata"]
    annotations = meta.get("annotations") or {}
    listed = annotations.get(names.ALLOW, "")
    if len(listed) > _LONGEST_ALLOW:
        listed = listed[:_LONGEST_ALLOW].rpartition(",")[0]  # a part of a name could be another name
    allow = tuple(part.strip() for part in listed.split(",") if part.strip())
    return ServiceAccountFacts(
        name=meta["name"],
        uid=meta["uid"],
        client_id=_id(annotations.get(names.CLIENT_ID)),
        tenant_id=_id(annotations.get(names.TENANT_ID)),
        allow=allow,
    )


def _id(value: str | None) -> str | None:
    return value[:_LONGEST_ID] if value else None


def _why(failure: ApiFailure, identity: NamespaceIdentity) -> Unknown:
    name = identity.service_account
    if errors.by_rbac(failure):
        return errors.not_bound(failure, identity.namespace)
    if failure.status == 404:
        return Unknown(
            Reason.SERVICE_ACCOUNT_NOT_FOUND, f"ServiceAccount {name!r} does not exist in this namespace (any more)"
        )
    if failure.status == 409:
        return Unknown(
            Reason.SERVICE_ACCOUNT_NOT_FOUND, f"ServiceAccount {name!r} was re-created; it is checked again", 1.0
        )
    if failure.transient:
        return Unknown(Reason.UNKNOWN, f"no token for ServiceAccount {name!r}: {failure.message}", failure.retry_after)
    return Unknown(Reason.TOKEN_REFUSED, f"no token for ServiceAccount {name!r}: {failure.message}")
