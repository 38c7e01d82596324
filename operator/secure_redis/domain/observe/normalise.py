"""How Azure's answers differ from what was sent. The one place that knows.

Source: docs/internals/azure-facts.md#how-answers-differ-from-requests.
Everything that compares a declared with an observed value goes through here; nothing here decides what a difference
means. `None` stands for "the answer did not say" and is never turned into a value.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address

from secure_redis.api.azure_ids import segments
from secure_redis.domain.observe.firewall import FirewallRuleFacts

# What the service runs where it says "latest": 6.0 is the newest that Azure Cache for Redis has.
LATEST_VERSION = "6.0"
# Premium without a word on replicas has one per primary (SDK docstring; the answer leaves it out).
DEFAULT_REPLICAS = 1

_SETTLED = frozenset({"succeeded", "failed", "disabled"})
_DEAD = frozenset({"failed", "disabled"})
_TLS = re.compile(r"(?:TLS[ _v]*)?(\d+)[._](\d+)", re.IGNORECASE)


def is_busy(state: str) -> bool:
    """Whether Azure is working on the cache, so that a write would answer 409. A state nobody knows counts as busy."""
    return state.strip().lower() not in _SETTLED


def is_dead(state: str) -> bool:
    """Whether the provisioning state is one that does not pass by itself: Failed or Disabled."""
    return state.strip().lower() in _DEAD


# --- ids, tags and names --------------------------------------------------------------------------------------------


def same_id(a: str | None, b: str | None) -> bool:
    """Whether two ARM ids name one resource: whole segments, no case, no trailing slash. Nothing equals nothing: no."""
    left, right = segments((a or "").strip()), segments((b or "").strip())
    return bool(left) and left == right


def id_set(ids: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """ARM ids as a set that compares by whole segments and without case."""
    return frozenset(segments(item.strip()) for item in ids)


def tag(tags: Mapping[str, str], name: str) -> str | None:
    """The value of a tag; tag names have no case. The exact spelling wins where a store holds both."""
    if name in tags:
        return tags[name]
    wanted = name.lower()
    return next((value for key, value in tags.items() if key.lower() == wanted), None)


def location(text: str) -> str:
    """A region without case and spaces: `West Europe` and `westeurope` are one."""
    return "".join(text.split()).lower()


def same_word(a: str | None, b: str | None) -> bool:
    """Whether two of Azure's enumeration words are one: no case, no outer space. Absent equals nothing."""
    return a is not None and b is not None and a.strip().lower() == b.strip().lower()


def same_identity_type(declared: str, observed: str | None) -> bool:
    """Whether the cache's identity types are one, in any order (`SystemAssigned, UserAssigned`); absent is None."""
    return _words(declared) == _words(observed or "None")


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in text.split(","))


# --- values ---------------------------------------------------------------------------------------------------------


def truth(value: object) -> bool | None:
    """A boolean as Azure writes it: JSON, or a string as all of redisConfiguration ("true", "False"). Else None."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def tls_version(text: str | None) -> tuple[int, int] | None:
    """`1.2` (or `TLS1_2`) as (1, 2). None: absent or not a version, which is never the same as safe."""
    found = _TLS.fullmatch((text or "").strip())
    return (int(found[1]), int(found[2])) if found else None


def version(text: str | None) -> tuple[int, ...] | None:
    """A Redis version as numbers: `6.0.14` gives (6, 0, 14), `latest` what is latest. None: absent or unreadable."""
    cleaned = (text or "").strip().lower()
    if cleaned == "latest":
        cleaned = LATEST_VERSION
    parts = cleaned.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return tuple(int(part) for part in parts)


def same_version(declared: str, observed: str | None) -> bool:
    """Whether the observed version is what was asked for: "6" is answered as "6.0" and runs as "6.0.14"."""
    wanted, answered = version(declared), version(observed)
    if wanted is None or answered is None:
        return same_word(declared, observed)
    common = min(len(wanted), len(answered))
    # What the answer leaves off must be zero in what was asked: "6.2" is not met by "6", "6.0" is.
    return wanted[:common] == answered[:common] and not any(wanted[common:])


def zones(values: Iterable[str]) -> tuple[str, ...]:
    """Availability zones in order and each once: Azure does not keep the order."""
    return tuple(sorted({str(value).strip() for value in values}))


def shards(count: int | None) -> int:
    """Number of shards; a cache without clustering has none, and the answer leaves it out."""
    return count or 0


def replicas(count: int | None) -> int:
    """Replicas per primary, by whichever of the two names; absent is the service's default of one."""
    return DEFAULT_REPLICAS if count is None else count


# --- firewall rules -------------------------------------------------------------------------------------------------


def rule_name(name: str, cache: str | None = None) -> str:
    """A firewall rule's own name: Azure answers with `<cache>/<rule>`, by any case."""
    head, slash, tail = name.rpartition("/")
    if slash and (cache is None or head.lower() == cache.lower()):
        return tail
    return name


def address(text: str) -> str:
    """An IPv4 address in its one normal form; what is none comes back trimmed, so that it equals only itself."""
    cleaned = text.strip()
    try:
        return str(IPv4Address(cleaned))
    except AddressValueError:
        return cleaned.lower()


def same_rule(a: FirewallRuleFacts, b: FirewallRuleFacts) -> bool:
    """Whether two firewall rules are one: name without case and the cache's prefix, range in normal form."""
    return rule_name(a.name).lower() == rule_name(b.name).lower() and same_range(a, b)


def same_range(a: FirewallRuleFacts, b: FirewallRuleFacts) -> bool:
    """Whether two rules admit the same addresses, whatever their names."""
    return address(a.start_ip) == address(b.start_ip) and address(a.end_ip) == address(b.end_ip)


def bounds(rule: FirewallRuleFacts) -> tuple[int, int] | None:
    """A rule's first and last address as numbers; None where Azure's answer holds no IPv4 addresses."""
    try:
        return int(IPv4Address(rule.start_ip.strip())), int(IPv4Address(rule.end_ip.strip()))
    except AddressValueError:
        return None
