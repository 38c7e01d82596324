"""Grants and caps in the configuration."""

from typing import Annotated, Literal

from pydantic import Field

from secure_redis.cli.config_base import Part, Text, Texts
from secure_redis.domain import grants as domain


class VaultScope(Part):
    """A vault and which of its secrets (shell patterns)."""

    uri: Annotated[str, Field(pattern=r"^https://[^/?#@]+/?$")]
    secret_names: Texts = ("*",)


class SkuLimit(Part):
    """The largest SKU that may be created."""

    name: Literal["Basic", "Standard", "Premium"]
    capacity: Annotated[int, Field(ge=0, le=6)]


class Grant(Part):
    """What may be done for which namespaces (shell patterns), on which ARM scopes, vaults and storage accounts."""

    namespaces: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
    powers: Annotated[tuple[Annotated[domain.Power, Field(strict=False)], ...], Field(strict=False, min_length=1)]
    caches: Annotated[
        tuple[Annotated[str, Field(pattern=r"(?i)^/subscriptions/[^/]+(/.*)?$")], ...], Field(strict=False)
    ] = ()
    vaults: Annotated[tuple[VaultScope, ...], Field(strict=False)] = ()
    storage_accounts: Annotated[
        tuple[Annotated[str, Field(pattern=r"(?i)^/subscriptions/[^/]+(/.*)?$")], ...], Field(strict=False)
    ] = ()
    locations: Texts = ()
    largest_sku: SkuLimit | None = None
    largest_managed_redis_gb: Annotated[int | None, Field(ge=0, le=100_000, alias="largestManagedRedisGB")] = None

    def granted(self) -> domain.Grant:
        """Return the grant as `domain.grants` decides by it."""
        limit = self.largest_sku
        return domain.Grant(
            namespaces=self.namespaces,
            powers=frozenset(self.powers),
            caches=self.caches,
            vaults=tuple(domain.VaultScope(vault.uri, vault.secret_names) for vault in self.vaults),
            storage_accounts=self.storage_accounts,
            locations=self.locations,
            largest_sku=None if limit is None else domain.SkuLimit(limit.name, limit.capacity),
            largest_managed_gb=self.largest_managed_redis_gb,
        )
