"""Read and store Key Vault secrets. One list per identity and vault, or one check per secret, serves all resources."""

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from azure.core.rest import HttpRequest
from azure.keyvault.secrets import KeyVaultSecret
from azure.keyvault.secrets.aio import SecretClient
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.clouds import host_of
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import (
    Failure,
    NotFound,
    unknown,
    write_failure,
)
from secure_redis.azure.core.lists import EndlessList, Page, walk
from secure_redis.azure.core.policies import CorrelationPolicy, NoRetries
from secure_redis.azure.core.transport import Transport
from secure_redis.azure.keyvault.listing import Items, Listed
from secure_redis.azure.keyvault.vault_calls import VaultCalls
from secure_redis.azure.keyvault.version_check import SecretState, VaultState, VersionCheck, live, whole
from secure_redis.azure.keyvault.versions import Version, secrets_page, usable
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import VaultSecretAbsent, VaultSecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.telemetry import live_values

# Not the SDK's default (2026-04-01), which sovereign clouds get later. All that is used here is older than 7.6.
API_VERSION: Final = "7.6"
_TOO_LONG: Final[Items] = {}
# Key Vault's times are whole seconds, and its clock is not this one. So what was read this soon after a change may be
# followed by another change with the same times.
_SAME_SECOND: Final = 2.0


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
        self._calls = VaultCalls(credentials)
        self._clock = clock
        self._now = now
        self._probe = probe_seconds
        self._remember = remember_failure_seconds
        self._version_check = VersionCheck(self._calls, clock, now, probe_seconds)
        self._vaults: ExpiringCache[tuple[Identity, str], VaultState] = ExpiringCache(clock, keep_seconds)
        self._secrets: ExpiringCache[tuple[Identity, str, str, str | None], SecretState] = ExpiringCache(
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
        secret = self._secrets.get((identity, authority, name.lower(), version), SecretState)
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

        outcome = await self._calls(identity, vault.client, call)
        self._expire_checks(uri, name)
        return outcome if isinstance(outcome, str) else write_failure(outcome)

    async def mark(
        self, identity: Identity, uri: str, name: str, version: str, tags: Mapping[str, str]
    ) -> None | WriteFailure:
        """Put exactly `tags` (all of them) on one version; everything else about it stays as it is.

        Needs the data action `Microsoft.KeyVault/vaults/secrets/update/action` ("Updates the specified attributes
        associated with the given secret": Microsoft's list of permissions for Microsoft.KeyVault), which the role Key
        Vault Secrets Officer holds; in a vault with access policies the permission `set`. Key Vault does not
        change what the request leaves out (Key Vault REST, Update Secret), and the SDK sends nothing but the tags.

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

        outcome = await self._calls(identity, vault.client, call)
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
        secret: SecretState,
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

            outcome = await self._calls(identity, vault.client, call)
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
        self, identity: Identity, uri: str, name: str, pinned: str | None, secret: SecretState, now: float
    ) -> Failure | None:
        """Read the secret itself."""
        outcome = await self._version_check.find(identity, self._vault(identity, uri), name, pinned, secret, now)
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

    async def _with_value(
        self, identity: Identity, uri: str, name: str, secret: SecretState
    ) -> VaultSecretFacts | Unknown:
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
                return await whole(vault.client, name, version.id)

            bundle = await self._calls(identity, vault.client, call)
            if not isinstance(bundle, KeyVaultSecret):
                return self._failed(secret, bundle)
            secret.value, secret.value_of = live(bundle.value or ""), version.id
        return replace(facts, value=secret.value)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _failed(self, secret: SecretState, failure: Failure) -> Unknown:
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

    def _vault(self, identity: Identity, uri: str) -> VaultState:
        return self._vaults.get((identity, host_of(uri) or ""), lambda: VaultState(self._make(identity, uri)))

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
