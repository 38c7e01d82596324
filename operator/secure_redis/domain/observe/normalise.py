"""Normalise Azure's answers, which differ from what was sent. Only this module knows how.

Source: docs/internals/azure-facts.md#how-answers-differ-from-requests.
Everything that compares a declared with an observed value uses this module; nothing here decides
whether a difference matters. `None`: the answer does not contain the value. It is never turned into a value.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address

from secure_redis.api.azure_ids import segments
from secure_redis.domain.observe.firewall import FirewallRuleFacts

# The version that runs where the service reports "latest": 6.0 is the newest that Azure Cache for Redis has.
LATEST_VERSION = "6.0"
# Premium has one replica per primary where the answer omits the number (SDK docstring).
DEFAULT_REPLICAS = 1

_DEAD = frozenset({"failed", "disabled", "canceled"})
_SETTLED = _DEAD | {"succeeded"}
_TLS = re.compile(r"(?:TLS[ _v]{0,4})?(\d{1,4})[._](\d{1,4})", re.IGNORECASE)


def is_busy(state: str) -> bool:
    """Whether Azure is working on the cache, so that a write would answer 409. An unknown state counts as busy."""
    return state.strip().lower() not in _SETTLED


def is_dead(state: str) -> bool:
    """Whether the provisioning state is one that does not pass by itself: Failed, Disabled or Canceled."""
    return state.strip().lower() in _DEAD


def key_version(url: str) -> str | None:
    """Return the version in a key's URL `https://<vault>/keys/<name>/<version>`; None where it has none."""
    parts = url.rstrip("/").split("/")
    return parts[-1] if len(parts) == 6 and parts[3].lower() == "keys" and parts[-1] else None


# --- ids, tags and names --------------------------------------------------------------------------------------------


def same_id(a: str | None, b: str | None) -> bool:
    """Whether two ARM ids name one resource: whole segments, no case, no trailing slash. False if both are absent."""
    left, right = segments((a or "").strip()), segments((b or "").strip())
    return bool(left) and left == right


def id_set(ids: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """Return ARM ids as a set that compares by whole segments and without case."""
    return frozenset(segments(item.strip()) for item in ids)


def tag(tags: Mapping[str, str], name: str) -> str | None:
    """Return the value of a tag; tag names have no case. The exact spelling wins where a store contains both."""
    if name in tags:
        return tags[name]
    lowered = name.lower()
    return next((value for key, value in tags.items() if key.lower() == lowered), None)


def location(text: str) -> str:
    """Return a region without case and spaces: `West Europe` and `westeurope` are equal."""
    return "".join(text.split()).lower()


def same_word(a: str | None, b: str | None) -> bool:
    """Whether two of Azure's enumeration values are equal: no case, no outer space. Absent equals nothing."""
    return a is not None and b is not None and a.strip().lower() == b.strip().lower()


def identity_kinds(text: str | None) -> frozenset[str]:
    """Return the kinds of identity in lower case, from one text with commas. Absent and `None` are no kind."""
    return frozenset(word.strip().lower() for word in (text or "").split(",")) - {"", "none"}


# --- values ---------------------------------------------------------------------------------------------------------


def truth(value: object) -> bool | None:
    """Parse a boolean as Azure writes it: JSON, or a string as in redisConfiguration ("true", "False"). Else None."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def tls_version(text: str | None) -> tuple[int, int] | None:
    """Parse `1.2` (or `TLS1_2`) as (1, 2). None: absent or not a version, which is never the same as safe."""
    found = _TLS.fullmatch((text or "").strip())
    return (int(found[1]), int(found[2])) if found else None


def version(text: str | None) -> tuple[int, ...] | None:
    """Parse a Redis version: `6.0.14` gives (6, 0, 14), `latest` the latest. None: absent or unreadable."""
    cleaned = (text or "").strip().lower()
    if cleaned == "latest":
        cleaned = LATEST_VERSION
    parts = cleaned.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return tuple(int(part) for part in parts)


def same_version(declared: str, observed: str | None) -> bool:
    """Whether the observed version is the declared one: "6" is answered as "6.0" and runs as "6.0.14"."""
    required, answered = version(declared), version(observed)
    if required is None or answered is None:
        return same_word(declared, observed)
    common = min(len(required), len(answered))
    # Parts that the answer omits must be zero in the declared version: "6" does not match "6.2", but matches "6.0".
    return required[:common] == answered[:common] and not any(required[common:])


def maxmemory_policy(word: str) -> str:
    """Return an eviction policy as Redis spells it: `VolatileLRU` is `volatile-lru`, `NoEviction` is `noeviction`."""
    lowered = word.strip().lower().replace("-", "")
    kind = next((kind for kind in ("volatile", "allkeys") if lowered.startswith(kind)), None)
    return lowered if kind is None else f"{kind}-{lowered.removeprefix(kind)}"


def zones(values: Iterable[str]) -> tuple[str, ...]:
    """Return availability zones sorted and each once: Azure does not keep the order."""
    return tuple(sorted({str(value).strip() for value in values}))


def shards(count: int | None) -> int:
    """Return the number of shards; a cache without clustering has none, and the answer omits it."""
    return count or 0


def replicas(count: int | None) -> int:
    """Return the replicas per primary; absent is the service's default of one."""
    return DEFAULT_REPLICAS if count is None else count


# --- firewall rules -------------------------------------------------------------------------------------------------


def rule_name(name: str, cache: str | None = None) -> str:
    """Return a firewall rule's own name: Azure answers with `<cache>/<rule>`, in any case."""
    head, slash, tail = name.rpartition("/")
    if slash and (cache is None or head.lower() == cache.lower()):
        return tail
    return name


def address(text: str) -> str:
    """Return an IPv4 address in its normal form; any other text is only trimmed, so that it equals only itself."""
    cleaned = text.strip()
    try:
        return str(IPv4Address(cleaned))
    except AddressValueError:
        return cleaned.lower()


def same_rule(a: FirewallRuleFacts, b: FirewallRuleFacts) -> bool:
    """Whether two firewall rules are equal: name without case and the cache's prefix, range in normal form."""
    return rule_name(a.name).lower() == rule_name(b.name).lower() and same_range(a, b)


def same_range(a: FirewallRuleFacts, b: FirewallRuleFacts) -> bool:
    """Whether two rules admit the same addresses, whatever their names."""
    return address(a.start_ip) == address(b.start_ip) and address(a.end_ip) == address(b.end_ip)


def bounds(rule: FirewallRuleFacts) -> tuple[int, int] | None:
    """Return a rule's first and last address as numbers; None where Azure's answer contains no IPv4 addresses."""
    try:
        return int(IPv4Address(rule.start_ip.strip())), int(IPv4Address(rule.end_ip.strip()))
    except AddressValueError:
        return None
