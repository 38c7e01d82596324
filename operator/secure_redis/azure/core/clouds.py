"""The hosts of each cloud. A token is sent nowhere else, whatever an answer, a redirect or a spec contains."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ODD = re.compile(r"[^\x21-\x7e]|\\")
_HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Cloud:
    """The endpoints of one Azure cloud. Suffixes are without a leading dot and may carry `:port` (else 443).

    Public, China and US Government endpoints: Microsoft's "Azure national clouds" and "Azure Key Vault DNS suffixes"
    pages. A custom cloud is configured by the same fields.
    """

    name: str
    resource_manager: str  # URL, without a trailing slash
    resource_manager_scope: str
    authority: str  # URL, without a trailing slash
    vault_suffixes: tuple[str, ...]
    redis_suffixes: tuple[str, ...]  # of Microsoft.Cache/redis
    managed_redis_suffixes: tuple[str, ...] = ()  # of Microsoft.Cache/redisEnterprise; a region comes before them

    def check(self) -> None:
        """Whether the configuration can work at all.

        Raises:
            ValueError: naming the field and what is wrong with it.

        """
        for field, url in (("resource_manager", self.resource_manager), ("authority", self.authority)):
            if _https_host(url) is None or urlsplit(url).path or urlsplit(url).query:
                raise ValueError(f"{field} must be https://<host>[:<port>] without a path, not {url!r}")
        if not self.resource_manager_scope.endswith("/.default"):
            raise ValueError("resource_manager_scope must end in /.default")
        for field, suffixes in (
            ("vault_suffixes", self.vault_suffixes),
            ("redis_suffixes", self.redis_suffixes),
            ("managed_redis_suffixes", self.managed_redis_suffixes),
        ):
            for suffix in suffixes:
                host = _https_host(f"https://{suffix}")
                if host is None or "." not in host[0] or "/" in suffix:
                    raise ValueError(f"{field}: {suffix!r} is not a host suffix such as vault.azure.net")
            if not suffixes and field != "managed_redis_suffixes":
                raise ValueError(f"{field} must not be empty")

    def is_resource_manager(self, url: str) -> bool:
        """Whether `url` is https at the resource manager's host or below it (regional hosts are below it)."""
        host, expected = _https_host(url), _configured(self.resource_manager)
        return host is not None and expected is not None and (host == expected or _below(host, expected))

    def is_authority(self, url: str) -> bool:
        """Whether `url` is https at exactly the token authority's host."""
        host = _https_host(url)
        return host is not None and host == _configured(self.authority)

    def is_vault(self, url: str) -> bool:
        """Whether `url`, with whatever path, is https at a vault of this cloud: exactly one label before a suffix."""
        host = _https_host(url)
        return host is not None and any(_one_label_below(host, _authority(suffix)) for suffix in self.vault_suffixes)

    def allows_vault(self, uri: str) -> bool:
        """Whether `uri` is a vault's own URI: `is_vault`, and neither path, query nor fragment."""
        if not self.is_vault(uri):
            return False
        parts = urlsplit(uri)
        return parts.path in ("", "/") and not parts.query and not parts.fragment

    def allows_redis_host(self, host: str) -> bool:
        """Whether `host` (no port) is a Microsoft.Cache/redis endpoint of this cloud."""
        name = host.lower()
        return any(_one_label_below((name, 0), (suffix.lower(), 0)) for suffix in self.redis_suffixes)

    def allows_managed_redis_host(self, host: str) -> bool:
        """Whether `host` (no port) is `<name>.<region>.<suffix>`, a Microsoft.Cache/redisEnterprise endpoint of this
        cloud (recorded traffic).
        """
        name, region = host.lower(), host.lower().partition(".")[2]
        return any(
            _one_label_below((name, 0), (region, 0)) and _one_label_below((region, 0), (suffix.lower(), 0))
            for suffix in self.managed_redis_suffixes
        )

    def owns(self, url: str) -> bool:
        """Whether `url` (nextLink, operation URL, redirect, challenge resource or authorization) is of this cloud."""
        return (
            self.is_resource_manager(url)
            or self.is_authority(url)
            or self.is_vault(url)
            or _https_host(url) in {_authority(suffix) for suffix in self.vault_suffixes}
        )

    def vault_scope(self, uri: str) -> str | None:
        """Return the only scope a vault may request: `https://vault.azure.net/.default`; None for a foreign host."""
        host = _https_host(uri)
        for suffix in self.vault_suffixes:
            if host is not None and _one_label_below(host, _authority(suffix)):
                return f"https://{suffix.lower()}/.default"
        return None


PUBLIC: Final = Cloud(
    name="AzurePublic",
    resource_manager="https://management.azure.com",
    resource_manager_scope="https://management.azure.com/.default",
    authority="https://login.microsoftonline.com",
    vault_suffixes=("vault.azure.net",),
    redis_suffixes=("redis.cache.windows.net",),
    managed_redis_suffixes=("redis.azure.net", "redisenterprise.cache.azure.net"),
)
CHINA: Final = Cloud(
    name="AzureChina",
    resource_manager="https://management.chinacloudapi.cn",
    resource_manager_scope="https://management.chinacloudapi.cn/.default",
    authority="https://login.chinacloudapi.cn",
    vault_suffixes=("vault.azure.cn",),
    redis_suffixes=("redis.cache.chinacloudapi.cn",),
)
US_GOVERNMENT: Final = Cloud(
    name="AzureUSGovernment",
    resource_manager="https://management.usgovcloudapi.net",
    resource_manager_scope="https://management.core.usgovcloudapi.net/.default",
    authority="https://login.microsoftonline.us",
    vault_suffixes=("vault.usgovcloudapi.net",),
    redis_suffixes=("redis.cache.usgovcloudapi.net",),
)
CLOUDS: Final = {cloud.name: cloud for cloud in (PUBLIC, CHINA, US_GOVERNMENT)}


def host_of(url: str) -> str | None:
    """`host` or `host:port` (port 443 left out) of a legal https URL in lower case; None for anything else."""
    pair = _https_host(url)
    if pair is None:
        return None
    host, port = pair
    return host if port == _HTTPS_PORT else f"{host}:{port}"


def _https_host(url: str) -> tuple[str, int] | None:
    # Parsers disagree about these; a disagreement is how a token ends up elsewhere.
    if _ODD.search(url):
        return None
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() != "https" or "@" in parts.netloc or parts.hostname is None:
        return None
    host = parts.hostname.lower()
    if not all(_LABEL.fullmatch(label) for label in host.split(".")):
        return None
    return host, _HTTPS_PORT if port is None else port


# Configured hosts are parsed once. URLs in answers are not remembered: they can contain signatures.
_configured = lru_cache(maxsize=64)(_https_host)


@lru_cache(maxsize=64)
def _authority(suffix: str) -> tuple[str, int]:
    host, _, port = suffix.lower().partition(":")
    return host, int(port) if port else _HTTPS_PORT


def _below(host: tuple[str, int], zone: tuple[str, int]) -> bool:
    return host[1] == zone[1] and host[0].endswith("." + zone[0])


def _one_label_below(host: tuple[str, int], zone: tuple[str, int]) -> bool:
    return _below(host, zone) and _LABEL.fullmatch(host[0][: -len(zone[0]) - 1]) is not None
