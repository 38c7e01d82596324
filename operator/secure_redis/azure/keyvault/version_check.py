"""Find the current version of a Key Vault secret: by one plain read, or in the list of its versions."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote

from azure.core.rest import HttpRequest
from azure.keyvault.secrets import KeyVaultSecret
from azure.keyvault.secrets.aio import SecretClient
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.failures import Denied, Failure, Guard
from secure_redis.azure.core.lists import EndlessList, Page, walk
from secure_redis.azure.keyvault.listing import Listing
from secure_redis.azure.keyvault.vault_calls import VaultCalls
from secure_redis.azure.keyvault.versions import Version, from_sdk, page, usable
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import VaultSecretAbsent
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.telemetry import live_values

# A page has 25 versions. A secret with more than 500 is read by a plain GET: one request instead of 20.
_MOST_PAGES: Final = 20


@dataclass(slots=True)
class SecretState:
    """The data kept of one secret under one identity."""

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
class VaultState:
    """A vault as one identity sees it."""

    client: SecretClient
    listing: Listing = field(default_factory=Listing)
    list_denied_at: dict[str, float] = field(default_factory=dict)  # secret name -> when its list was no use


class VersionCheck:
    """Finds versions of secrets, by what the identity may read."""

    def __init__(
        self, calls: VaultCalls, clock: Callable[[], float], now: Callable[[], datetime], probe_seconds: float
    ) -> None:
        """`clock`, `now`, `probe_seconds`: as `Vaults` has them."""
        self._calls = calls
        self._clock = clock
        self._now = now
        self._probe = probe_seconds

    async def find(
        self, identity: Identity, vault: VaultState, name: str, pinned: str | None, secret: SecretState, now: float
    ) -> Version | Failure:
        """Find the version: the first time by one plain GET, which has the value too, and later in the list."""
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
        self, identity: Identity, vault: VaultState, name: str, pinned: str | None
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

        items = await self._calls(identity, vault.client, call)
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
        self, identity: Identity, vault: VaultState, name: str, pinned: str | None, secret: SecretState
    ) -> Version | Failure:
        """Find the version by a plain read. Its value is kept only if that version's value is not kept yet."""

        async def call() -> KeyVaultSecret:
            return await whole(vault.client, name, pinned)

        bundle = await self._calls(identity, vault.client, call)
        if isinstance(bundle, Denied) and bundle.reason is Reason.VAULT_SECRET_DISABLED:
            # The vault does not report which version it refuses; that it is the current one is what matters.
            return Version(pinned or "", enabled=False, not_before=None, expires=None, tags={})
        if not isinstance(bundle, KeyVaultSecret):
            return bundle
        version = from_sdk(bundle.properties)
        if secret.value_of != version.id and usable(version, self._now()) and bundle.value is not None:
            secret.value, secret.value_of = live(bundle.value), version.id
        return version


async def whole(client: SecretClient, name: str, version: str | None) -> KeyVaultSecret:
    """Read a secret with its value. The SDK takes any answer for one, also an answer without both.

    Raises:
        Malformed: the answer has no value, or no version.

    """
    found = await client.get_secret(name, version)
    if found.value is None or not found.properties.version:
        raise Malformed("the vault's answer is not a secret with its value")
    return found


def live(text: str) -> SecretStr:
    """Wrap a value, after it is known to the search for secret values in texts."""
    live_values.remember(text)
    return SecretStr(text)
