"""Read and store Key Vault secrets. One list per identity and vault, or one check per secret, serves all resources."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import quote

from azure.core.rest import HttpRequest
from azure.keyvault.secrets import KeyVaultSecret
from azure.keyvault.secrets._shared.http_challenge_cache import remove_challenge_for_url
from azure.keyvault.secrets.aio import SecretClient
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.calls import Calls
from secure_redis.azure.core.clouds import host_of
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    NotFound,
    Source,
    unknown,
    write_failure,
)
from secure_redis.azure.core.lists import EndlessList, Page, walk
from secure_redis.azure.core.policies import CorrelationPolicy, NoRetries
from secure_redis.azure.core.transport import Transport
from secure_redis.azure.keyvault.listing import Items, Listed, Listing
from secure_redis.azure.keyvault.versions import (
    Version,
    from_sdk,
    page,
    secrets_page,
    usable,
)
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import VaultSecretAbsent, VaultSecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.telemetry import live_values

T = TypeVar("T")

# Not the SDK's default (2026-04-01), which sovereign clouds get later. All that is used here is older than 7.6.
API_VERSION: Final = "7.6"
_TOO_LONG: Final[Items] = {}
# Key Vault's times are whole seconds, and its clock is not this one. So what was read this soon after a change may be
# followed by another change with the same times.
_SAME_SECOND: Final = 2.0
# A page has 25 versions. A secret with more than 500 is read by a plain GET: one request instead of 20.
_MOST_PAGES: Final = 20


@dataclass(slots=True)
class _Secret:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: float | None = None  # when the last check that answered began
    looked_at: float = float("-inf")  # when the last one began that did not rely on the list of the vault
    settled: bool = False  # that one began so late that no later version can have the same times
    version: Version | None = None
    absent: VaultSecretAbsent | None = None
    value: SecretStr | None = None
    value_of: str | None = None  # the version whose value is kept
    failure: Unknown | None = None
    failed_at: float = 0.0
    writes: int = 0  # of the operator: a check during which one happened does not count


@dataclass(slots=True)
class _Vault:
    client: SecretClient
    listing: Listing = field(default_factory=Listing)
    list_denied_at: dict[str, float] = field(default_factory=dict)  # secret name -> when its list was no use


class Vaults:
    """Keeps values in memory under the identity that fetched them, and drops them an hour after their last use."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        probe_seconds: float = 3600.0,
        remember_failure_seconds: float = 10.0,
        keep_seconds: float = 3600.0,
    ) -> None:
        """`clock`: monotonic seconds; `now`: the time by which secrets expire. `probe_seconds`: how long a denied list
        is not requested again.
        """
        self._transport = transport
        self._credentials = credentials
        self._calls = Calls(credentials, Source.VAULT)
        self._clock = clock
        self._now = now
        self._probe = probe_seconds
        self._remember = remember_failure_seconds
        self._vaults: ExpiringCache[tuple[Identity, str], _Vault] = ExpiringCache(clock, keep_seconds)
        self._secrets: ExpiringCache[tuple[Identity, str, str, str | None], _Secret] = ExpiringCache(
            clock, keep_seconds
        )

    async def current(
        self, identity: Identity, uri: str, name: str, version: str | None = None, *, max_age: float
    ) -> VaultSecretFacts | VaultSecretAbsent | Unknown:
        """Return the newest version (or the pinned `version`), checked at most `max_age` seconds ago (0: now).

        A disabled, expired or not yet valid version is returned as it is, with `value=None`; no older one is used
        instead.
        """
        outside = self._outside_the_cloud(uri)
        if outside is not None:
            return Unknown(outside.reason, outside.message, permanent=True)
        authority = host_of(uri) or ""
        secret = self._secrets.get((identity, authority, name.lower(), version), _Secret)
        async with secret.lock:
            if secret.value is not None:
                live_values.remember(secret.value.get_secret_value())  # before the vault can quote it
            now = self._clock()
            if secret.at is None or max_age <= 0 or now - secret.at > max_age:
                if secret.failure is not None and now - secret.failed_at < min(self._remember, max_age):
                    return secret.failure
                writes = secret.writes
                failed = await self._check(identity, uri, name, version, secret, now, max_age)
                if secret.writes != writes:
                    secret.at = None
                if failed is not None:
                    return self._failed(secret, failed)
            if secret.absent is not None:
                return secret.absent
            return await self._with_value(identity, uri, name, secret)

    async def store(
        self,
        identity: Identity,
        uri: str,
        name: str,
        value: SecretStr,
        tags: Mapping[str, str],
        expires: datetime | None = None,
    ) -> str | WriteFailure:
        """Store a new version of the secret and return its id. Never recovers or purges a deleted one.

        Needs the data action `Microsoft.KeyVault/vaults/secrets/setSecret/action`.
        """
        outside = self._outside_the_cloud(uri)
        if outside is not None:
            return WriteFailure(outside.reason, outside.message, permanent=True)
        vault = self._vault(identity, uri)
        live_values.remember(value.get_secret_value())

        async def call() -> str:
            stored = await vault.client.set_secret(
                name,
                value.get_secret_value(),
                tags=dict(tags),
                expires_on=expires,
                content_type="text/plain",
            )
            return stored.properties.version or ""

        outcome = await self._call(identity, vault, call)
        self._expire_checks(uri, name)
        return outcome if isinstance(outcome, str) else write_failure(outcome)

    async def mark(
        self, identity: Identity, uri: str, name: str, version: str, tags: Mapping[str, str]
    ) -> None | WriteFailure:
        """Put exactly `tags` (all of them) on one version; everything else about it stays as it is.

        Needs the data action `Microsoft.KeyVault/vaults/secrets/update/action` ("Updates the specified attributes
        associated with the given secret": Microsoft's list of permissions for Microsoft.KeyVault), which the role Key
        Vault Secrets Officer holds; in a vault with access policies the permission `set`. What the request leaves out
        is left unchanged (Key Vault REST, Update Secret), and the SDK sends nothing but the tags.

        Raises:
            ValueError: no version is named; the vault would take the newest one, whichever that is by then.

        """
        if not version:
            raise ValueError("a version must be named")
        outside = self._outside_the_cloud(uri)
        if outside is not None:
            return WriteFailure(outside.reason, outside.message, permanent=True)
        vault = self._vault(identity, uri)

        async def call() -> None:
            await vault.client.update_secret_properties(name, version, tags=dict(tags))

        outcome = await self._call(identity, vault, call)
        self._expire_checks(uri, name)
        return None if outcome is None else write_failure(outcome)

    def _expire_checks(self, uri: str, name: str) -> None:
        """Expire all earlier checks of the secret, whatever the write's result was."""
        authority = host_of(uri) or ""
        for key, secret in self._secrets.items():
            if key[1:3] == (authority, name.lower()):
                secret.at, secret.settled = None, False
                secret.writes += 1

    # --- the check --------------------------------------------------------------------------------------------------

    async def _check(
        self,
        identity: Identity,
        uri: str,
        name: str,
        pinned: str | None,
        secret: _Secret,
        now: float,
        max_age: float,
    ) -> Failure | None:
        """Bring `secret` up to date, all but the value. None: done."""
        if pinned is None and secret.settled and secret.version is not None and now - secret.looked_at < self._probe:
            listed = await self._listed(identity, uri, now, max_age)
            if isinstance(listed, Failure):
                return listed
            item = listed.items.get(name.lower()) if listed is not None else None
            if listed is not None and item is not None and secret.version.shown_by(item):
                secret.at, secret.failure = listed.at, None
                return None
        secret.looked_at, began = now, self._now()
        failed = await self._look(identity, uri, name, pinned, secret, now)
        changed = secret.version.changed if secret.version is not None else None
        secret.settled = failed is None and changed is not None and (began - changed).total_seconds() >= _SAME_SECOND
        return failed

    async def _listed(self, identity: Identity, uri: str, now: float, max_age: float) -> Listed | Failure | None:
        """Return what the list of the vault shows of the secrets that are read in it. None: it is of no use."""
        vault, authority = self._vault(identity, uri), host_of(uri) or ""

        def names() -> frozenset[str]:
            own = (key for key, _ in self._secrets.items() if key[:2] == (identity, authority) and key[3] is None)
            return frozenset(key[2] for key in own)

        async def items(wanted: Collection[str]) -> Items | Failure | None:
            async def read(url: str) -> Page[tuple[str, Version]] | Failure:
                response = await vault.client.send_request(HttpRequest("GET", url))
                if response.status_code != 200:
                    return self._calls.refusal(identity, response)
                return secrets_page(json.loads(response.text()), wanted)

            async def call() -> Items | Failure:
                try:
                    found = await walk("/secrets", read, most_pages=len(wanted))
                except EndlessList:
                    return _TOO_LONG
                return found if isinstance(found, Failure) else dict(found)

            outcome = await self._call(identity, vault, call)
            return None if outcome is _TOO_LONG else outcome

        return await vault.listing.get(
            names,
            items,
            now=now,
            max_age=max_age,
            useless_seconds=self._probe,
            failure_seconds=min(self._remember, max_age),
        )

    async def _look(
        self, identity: Identity, uri: str, name: str, pinned: str | None, secret: _Secret, now: float
    ) -> Failure | None:
        """Look at the secret itself."""
        outcome = await self._found(identity, uri, name, pinned, secret, now)
        if isinstance(outcome, NotFound):
            what = f"{name!r}" if pinned is None else f"version {pinned} of {name!r}"
            if outcome.reason is Reason.VAULT_SECRET_NOT_FOUND:
                secret.absent = VaultSecretAbsent(f"the vault {host_of(uri)} holds no secret {what}")
                secret.at, secret.version, secret.value, secret.value_of = now, None, None, None
                secret.failure = None
                return None
            return outcome
        if not isinstance(outcome, Version):
            return outcome
        secret.at, secret.version, secret.absent, secret.failure = now, outcome, None, None
        if secret.value_of != outcome.id:
            secret.value = secret.value_of = None
        return None

    async def _found(
        self, identity: Identity, uri: str, name: str, pinned: str | None, secret: _Secret, now: float
    ) -> Version | Failure:
        """Find the version: the first time by one plain GET, which has the value too, and later in the list."""
        vault = self._vault(identity, uri)
        outcome: Version | None | Failure
        if pinned is None and secret.version is None:
            outcome = await self._by_get(identity, vault, name, pinned, secret)
            if not isinstance(outcome, Version) or outcome.enabled:
                return outcome  # the refusal of a disabled version shows neither its id nor its times: the list does
        denied_at = vault.list_denied_at.get(name.lower())
        if denied_at is not None and now - denied_at < self._probe:
            return await self._by_get(identity, vault, name, pinned, secret)
        outcome = await self._by_list(identity, vault, name, pinned)
        if isinstance(outcome, Denied) and outcome.by is Guard.ROLE:
            vault.list_denied_at[name.lower()] = now
            return await self._by_get(identity, vault, name, pinned, secret)
        if outcome is None:  # no version, two of the same second, or too many: the vault itself has to decide
            return await self._by_get(identity, vault, name, pinned, secret)
        vault.list_denied_at.pop(name.lower(), None)
        return outcome

    async def _by_list(
        self, identity: Identity, vault: _Vault, name: str, pinned: str | None
    ) -> Version | None | Failure:
        """Find the version in the list of versions (all pages, unordered). None if it does not show the current one."""

        async def read(url: str) -> Page[Version] | Failure:
            response = await vault.client.send_request(HttpRequest("GET", url))
            if response.status_code != 200:
                return self._calls.refusal(identity, response)
            return page(json.loads(response.text()))

        async def call() -> tuple[Version, ...] | Failure:
            try:
                return await walk(f"/secrets/{quote(name, safe='')}/versions", read, most_pages=_MOST_PAGES)
            except EndlessList:
                vault.list_denied_at[name.lower()] = self._clock()  # do not request so many pages at every check
                return ()

        items = await self._call(identity, vault, call)
        if isinstance(items, Failure):
            return items
        if not items or any(item.created is None or not item.id for item in items):
            return None
        newest_time = max(item.created for item in items if item.created is not None)
        newest = [item for item in items if item.created == newest_time]
        if pinned is None:
            return newest[0] if len(newest) == 1 else None
        found = [item for item in items if item.id.lower() == pinned.lower()]
        return replace(found[0], latest=found[0] in newest) if found else None

    async def _by_get(
        self, identity: Identity, vault: _Vault, name: str, pinned: str | None, secret: _Secret
    ) -> Version | Failure:
        """Find the version by a plain read. Its value is kept only if that version's value is not kept yet."""

        async def call() -> KeyVaultSecret:
            return await _whole(vault.client, name, pinned)

        bundle = await self._call(identity, vault, call)
        if isinstance(bundle, Denied) and bundle.reason is Reason.VAULT_SECRET_DISABLED:
            # The vault does not report which version it refuses; that it is the current one is what matters.
            return Version(pinned or "", enabled=False, not_before=None, expires=None, tags={})
        if not isinstance(bundle, KeyVaultSecret):
            return bundle
        version = from_sdk(bundle.properties)
        if secret.value_of != version.id and usable(version, self._now()) and bundle.value is not None:
            secret.value, secret.value_of = _value(bundle.value), version.id
        return version

    async def _with_value(self, identity: Identity, uri: str, name: str, secret: _Secret) -> VaultSecretFacts | Unknown:
        version = secret.version
        if version is None:  # cannot be: a check that answered left a version or an absence
            return Unknown(Reason.INTERNAL_ERROR, "the version check left no version")
        facts = VaultSecretFacts(
            vault=uri.rstrip("/"),
            name=name,
            version=version.id,
            enabled=version.enabled,
            not_before=version.not_before,
            expires=version.expires,
            tags=version.tags,
            latest=version.latest,
            created=version.created,
        )
        if not usable(version, self._now()):
            return facts
        if secret.value_of != version.id:
            vault = self._vault(identity, uri)

            async def call() -> KeyVaultSecret:
                return await _whole(vault.client, name, version.id)

            bundle = await self._call(identity, vault, call)
            if not isinstance(bundle, KeyVaultSecret):
                return self._failed(secret, bundle)
            secret.value, secret.value_of = _value(bundle.value or ""), version.id
        return replace(facts, value=secret.value)

    # --- how ----------------------------------------------------------------------------------------------------------

    async def _call(self, identity: Identity, vault: _Vault, call: Callable[[], Awaitable[T | Failure]]) -> T | Failure:
        """Make one call to the vault. A challenge that leads to a refusal is not used again.

        The SDK remembers a vault's challenge, with its tenant, for the whole process. It asks the vault again only
        after a request that was sent. A refusal of our own sends none, so the vault could change its tenant and stay
        refused until a restart. The SDK has no public way to forget a challenge.
        """
        outcome = await self._calls(identity, call)
        if isinstance(outcome, Denied) and outcome.by in {Guard.TENANT, Guard.CLOUD}:
            remove_challenge_for_url(vault.client.vault_url)
        return outcome

    def _failed(self, secret: _Secret, failure: Failure) -> Unknown:
        secret.at = None
        secret.failure, secret.failed_at = unknown(failure), self._clock()
        return secret.failure

    def _outside_the_cloud(self, uri: str) -> Explanation | None:
        if self._transport.cloud.allows_vault(uri):
            return None
        suffixes = " or ".join(f".{suffix}" for suffix in self._transport.cloud.vault_suffixes)
        return Explanation(
            Reason.VAULT_NOT_ALLOWED,
            f"the vault URI must be https://<name>{suffixes} in the cloud {self._transport.cloud.name}; "
            "no request was sent",
        )

    def _vault(self, identity: Identity, uri: str) -> _Vault:
        return self._vaults.get((identity, host_of(uri) or ""), lambda: _Vault(self._make(identity, uri)))

    def _make(self, identity: Identity, uri: str) -> SecretClient:
        url = f"https://{host_of(uri)}"
        scope = self._transport.cloud.vault_scope(url)
        assert scope is not None  # noqa: S101 - `_outside_the_cloud` was checked before
        return SecretClient(
            url,
            self._credentials.for_vault(identity, scope),
            api_version=API_VERSION,
            transport=self._transport.http,
            verify_challenge_resource=True,
            retry_policy=NoRetries(),
            permit_redirects=False,
            per_call_policies=[self._transport.vault_guard(url), CorrelationPolicy()],
            custom_hook_policy=self._transport.vault_gate(url),  # the place behind authentication
        )


async def _whole(client: SecretClient, name: str, version: str | None) -> KeyVaultSecret:
    """Read a secret with its value. The SDK takes any answer for one, also an answer without both.

    Raises:
        Malformed: the answer has no value, or no version.

    """
    found = await client.get_secret(name, version)
    if found.value is None or not found.properties.version:
        raise Malformed("the vault's answer is not a secret with its value")
    return found


def _value(text: str) -> SecretStr:
    live_values.remember(text)
    return SecretStr(text)
