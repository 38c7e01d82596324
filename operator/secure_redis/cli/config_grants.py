"""Grants and caps in the configuration."""

from typing import Annotated, Literal

from pydantic import Field

from secure_redis.cli.config_base import Part, Text, Texts
from secure_redis.domain import grants as domain


class VaultScope(Part):
    """A vault and which of its secrets (shell patterns)."""

    uri: Annotated[str, Field(pattern=r"^https://[^/?#@]+/?$")]
    """Address of the vault, such as `https://shop.vault.azure.net`."""
    secret_names: Texts = ("*",)
    """Names of secrets in the vault, or shell patterns."""


class SkuLimit(Part):
    """The largest SKU that may be created."""

    name: Literal["Basic", "Standard", "Premium"]
    """Highest tier."""
    capacity: Annotated[int, Field(ge=0, le=6)]
    """Highest capacity of that tier."""


class Grant(Part):
    """Powers for namespaces (shell patterns), on ARM scopes, vaults and storage accounts."""

    namespaces: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
    """Namespaces whose resources the entry is about. Names or shell patterns."""
    powers: Annotated[tuple[Annotated[domain.Power, Field(strict=False)], ...], Field(strict=False, min_length=1)]
    """Powers that the operator gets for them."""
    caches: Annotated[
        tuple[Annotated[str, Field(pattern=r"(?i)^/subscriptions/[^/]+(/.*)?$")], ...], Field(strict=False)
    ] = ()
    """Scopes in Azure whose caches may be used: a subscription, a resource group or a cache."""
    vaults: Annotated[tuple[VaultScope, ...], Field(strict=False)] = ()
    """Vaults that may be used."""
    storage_accounts: Annotated[
        tuple[Annotated[str, Field(pattern=r"(?i)^/subscriptions/[^/]+(/.*)?$")], ...], Field(strict=False)
    ] = ()
    """Scopes in Azure whose storage accounts caches may persist into."""
    locations: Texts = ()
    """Regions in which caches may be created. For the power `Provision`."""
    largest_sku: SkuLimit | None = None
    """Largest Azure Cache for Redis that may be created. For the power `Provision`."""
    largest_managed_redis_gb: Annotated[int | None, Field(ge=0, le=100_000, alias="largestManagedRedisGB")] = None
    """Largest Azure Managed Redis that may be created, by the number in its SKU. For the power `Provision`."""

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
