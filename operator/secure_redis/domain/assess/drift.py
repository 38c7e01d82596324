"""A difference between spec and Azure, and the comparisons that all services share. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DriftClass, Provision
from secure_redis.domain.assess.disruption import Effect
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.cache import Cache, CacheAbsent, PublicAddress

MOST_ENTRIES = 50
NOT_SET = "not set"
NOT_REPORTED = "not reported"
NONE = "none"
_LONGEST = 256  # of a path or a value, so that a status stays small

ORDER = {DriftClass.SECURITY: 0, DriftClass.AVAILABILITY: 1, DriftClass.COSMETIC: 2}


@dataclass(frozen=True, slots=True)
class Drift:
    """One field that differs. `path` as in spec; `correctable`: the operator could set it (in mode Provision).

    `effect`: what correcting it would cause, whichever party does it.
    """

    path: str
    declared: str
    observed: str
    drift_class: DriftClass
    correctable: bool = False
    note: str = ""
    effect: Effect = Effect.NONE

    @property
    def is_known(self) -> bool:
        """Whether Azure reported the value that differs."""
        return self.observed not in {NOT_SET, NOT_REPORTED}


def gone(resource: SecureRedisCache, absent: CacheAbsent) -> tuple[Drift, ...] | None:
    """Report a cache that existed and is gone as one difference. None: not confirmed yet, or it never existed."""
    known, before = resource.status.cache, resource.status.condition(ConditionType.CACHE_AVAILABLE)
    if known is None or known.provisioning_state is None:
        return None
    believed = before is not None and before.reason in {Reason.CACHE_GONE, Reason.CACHE_NOT_FOUND}
    if not (absent.confirmed or believed):
        return None
    note = "its data is lost, so the operator does not create it again without a request"
    shown = short(resource.cache.text)
    return (Drift("resourceID", shown, "gone", DriftClass.AVAILABILITY, note=note, effect=Effect.NEEDS_REPLACEMENT),)


def bounded(found: tuple[Drift, ...]) -> tuple[Drift, ...]:
    """Keep at most MOST_ENTRIES differences; the last entry then counts the rest."""
    if len(found) <= MOST_ENTRIES:
        return found
    kept, rest = found[: MOST_ENTRIES - 1], found[MOST_ENTRIES - 1 :]
    more = Drift(
        "(more)", "", f"{len(rest)} more differences", rest[0].drift_class, note="shown once others are corrected"
    )
    return (*kept, more)


# --- transport and network ------------------------------------------------------------------------------------------


def minimum_tls(resource: SecureRedisCache, cache: Cache) -> Iterable[Drift]:
    """Compare the minimum TLS version."""
    observed = cache.minimum_tls_version
    declared = resource.spec.transport.minimum_tls_version
    required, found = normalise.tls_version(declared), normalise.tls_version(observed)
    if required is not None and found is not None and found >= required:
        return  # a stricter minimum keeps what is declared, and the schema may have no word for it
    shown = short(observed) if observed else NOT_SET
    note = "" if observed else "Azure does not promise to keep its default: set it explicitly"
    yield Drift("transport.minimumTLSVersion", declared, shown, DriftClass.SECURITY, True, note)


def public_access(resource: SecureRedisCache, cache: Cache) -> Iterable[Drift]:
    """Compare public network access. Inside a virtual network there is no public address to compare."""
    declared, observed = resource.spec.network.public_access, cache.public_network_access
    if cache.public_address is PublicAddress.NONE:
        return
    # Absent is the API's default, Enabled (docs/internals/azure-facts.md#properties-and-defaults): as good as declared
    # Enabled, not as Disabled.
    if normalise.same_word(declared, observed or "Enabled"):
        return
    closing = normalise.same_word(declared, "Disabled")
    yield Drift(
        "network.publicAccess",
        declared,
        short(observed) if observed else f"{NOT_SET} ({cache.PUBLIC_ACCESS_UNSET})",
        DriftClass.SECURITY if closing else DriftClass.AVAILABILITY,
        True,
    )


# --- provision ------------------------------------------------------------------------------------------------------


def location(declared: Provision, cache: Cache) -> Iterable[Drift]:
    """Compare the region."""
    if normalise.location(declared.location) != normalise.location(cache.location):
        note = "a cache cannot be moved; create another one"
        yield Drift("provision.location", declared.location, short(cache.location), DriftClass.AVAILABILITY, note=note)


def tags(declared: Provision, cache: Cache) -> Iterable[Drift]:
    """Compare the declared tags; others are ignored."""
    for name, value in declared.tags.items():
        observed = normalise.tag(cache.tags, name)
        if observed != value:
            shown = NOT_SET if observed is None else short(observed)
            yield Drift(indexed("provision.tags", name), short(value), shown, DriftClass.COSMETIC, True)


# --- texts ----------------------------------------------------------------------------------------------------------


def listed(values: Iterable[str]) -> str:
    """Join names in order, for a status."""
    return short(", ".join(sorted(values)) or NONE)


def indexed(path: str, name: str) -> str:
    """Name an entry of a map or list, cut to the length that a status allows."""
    room = _LONGEST - len(path) - 2
    return f"{path}[{name if len(name) <= room else name[: room - 1] + '…'}]"


def short(text: str) -> str:
    """Cut a value to the length that a status allows."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def ignoring(
    found: Iterable[Drift], paths: Sequence[str], compared: Iterable[str]
) -> tuple[tuple[Drift, ...], tuple[str, ...]]:
    """Leave out the differences at `paths`, and note which paths have no effect. `compared`: all fields there are."""
    fields = tuple(compared)
    kept: list[Drift] = []
    notes = [
        f"drift.ignore: {path!r} names no field that is compared, so it does nothing"
        for path in paths
        if not any(below(field, path) or below(path, field) for field in fields)
    ]
    for entry in found:
        by = next((path for path in paths if below(entry.path, path)), None)
        if by is None:
            kept.append(entry)
        elif entry.drift_class is DriftClass.SECURITY:
            kept.append(entry)
            notes.append(f"drift.ignore: {entry.path} is not ignored, because the difference is one of class Security")
    return tuple(kept), tuple(notes)


def below(path: str, above: str) -> bool:
    """Whether `path` is the field `above` or lies below it, by whole segments: `a.b` and `a[x]` lie below `a`."""
    return path == above or (path.startswith(above) and path[len(above)] in ".[")
