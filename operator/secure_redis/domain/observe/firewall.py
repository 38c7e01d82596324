"""The firewall rules of a Microsoft.Cache/redis cache; the other service has no firewall."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FirewallRuleFacts:
    """A firewall rule as Azure reports it (`name` without the cache's prefix)."""

    name: str
    start_ip: str
    end_ip: str
