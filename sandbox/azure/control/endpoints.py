"""The addresses of a running simulator."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running simulator listens. `port` is part of every URL of the made-up cloud."""

    domain: str
    port: int
    address: str
    ca_file: Path
    hosts_file: Path
    pid: int

    @property
    def authority(self) -> str:
        """Return Entra's URL, as in AZURE_AUTHORITY_HOST."""
        return f"https://login.{self.domain}:{self.port}"

    @property
    def management(self) -> str:
        """Return the resource manager's URL."""
        return f"https://management.{self.domain}:{self.port}"

    @property
    def management_scope(self) -> str:
        """Return the scope of the resource manager's tokens."""
        return f"{self.management}/.default"

    @property
    def vault_suffix(self) -> str:
        """Return what follows a vault's name in its host, port included."""
        return f"vault.{self.domain}:{self.port}"

    @property
    def redis_suffix(self) -> str:
        """Return what follows a cache's name in its host."""
        return f"redis.{self.domain}"

    @property
    def managed_redis_suffix(self) -> str:
        """Return what follows a cluster's name and region in its host."""
        return f"managedredis.{self.domain}"

    def vault_url(self, name: str) -> str:
        """Return a vault's URI."""
        return f"https://{name.lower()}.{self.vault_suffix}"

    def redis_host(self, name: str) -> str:
        """Return a cache's host name."""
        return f"{name.lower()}.{self.redis_suffix}"
