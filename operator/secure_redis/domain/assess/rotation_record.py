"""Record which rotations were carried out, where only the right party can write. Pure.

A version that a rotation stored has the tag `secureredis-rotated`. It names the rotation, the slot of its key and the
request. The published Secret has the annotation `secureredis.io/rotation`, which outlives a version that another party
stores: which request was answered, or is being carried out. The status reports the same and decides nothing, except
before the Secret exists. A request is recorded by a digest, because a tag has at most 256 characters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Access
from secure_redis.api.times import parse_rfc3339, rfc3339
from secure_redis.domain.assess.key_value import same_value
from secure_redis.domain.observe.keys import Slot, VaultSecretFacts
from secure_redis.domain.observe.normalise import same_word, tag
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts

CREDENTIAL_ID = "CredentialId"  # Primary or Secondary; the name is that of Microsoft's rotation functions
SCHEDULE = "-"  # the digest of a rotation that no annotation requested


def digest(request: str | None) -> str:
    """Return the short form of a request; None: the schedule."""
    return SCHEDULE if request is None else sha256(request.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Rotated:
    """The tag of a version that a rotation stored. `rotation`: when the rotation began. `request`: a digest."""

    rotation: str
    slot: Slot
    request: str

    @classmethod
    def on(cls, tags: Mapping[str, str]) -> "Rotated | None":
        """Read the tag. None: no rotation stored this version, or its tags were changed since."""
        parts = (tag(tags, names.ROTATED_TAG) or "").split("/")
        if len(parts) != 3 or not all(parts) or parse_rfc3339(parts[0]) is None:
            return None
        slot = next((slot for slot in Slot if slot == parts[1]), None)
        return cls(parts[0], slot, parts[2]) if slot is not None and slot is claimed_slot(tags) else None

    @property
    def tag(self) -> dict[str, str]:
        """The tag."""
        return {names.ROTATED_TAG: f"{self.rotation}/{self.slot}/{self.request}"}

    def is_open(self, tags: Mapping[str, str]) -> bool:
        """Whether the rotation has not ended: the version still has the mark of one of its regenerations."""
        return (tag(tags, names.ROTATION_TAG) or "").partition("/")[0] == self.rotation


def claimed_slot(tags: Mapping[str, str]) -> Slot | None:
    """Find which key the tag `CredentialId` claims it is. The listed keys count more."""
    claim = tag(tags, CREDENTIAL_ID)
    return next((slot for slot in Slot if same_word(slot, claim)), None)


class RecordState(StrEnum):
    """DONE: the request was answered. OPEN: it is being carried out. SCHEDULED: it was answered before, and a
    rotation by the schedule is under way.
    """

    DONE = "done"
    OPEN = "open"
    SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class RotationRecord:
    """The last request that was answered or begun, as a digest."""

    state: RecordState
    request: str

    @classmethod
    def parse(cls, text: str) -> "RotationRecord | None":
        """Read the annotation; None if it is not one."""
        state, _, request = text.partition("/")
        found = next((one for one in RecordState if one == state), None)
        return cls(found, request) if found is not None and request else None

    def __str__(self) -> str:
        return f"{self.state}/{self.request}"


def record(resource: SecureRedisCache, observed: Observation) -> RotationRecord:
    """Return what is known about the last request: by the vault's version, else by the Secret, else by the status.

    The vault's version decides where it names the request of the annotation. It can also name one of an earlier object
    of this name. The status decides only where this object has no Secret yet. A request that is there in the first pass
    counts as answered.
    """
    vault = observed.vault
    stored = Rotated.on(vault.tags) if isinstance(vault, VaultSecretFacts) else None
    under_way = stored is not None and isinstance(vault, VaultSecretFacts) and stored.is_open(vault.tags)
    if stored is not None and resource.rotate is not None and stored.request == digest(resource.rotate):
        return RotationRecord(RecordState.OPEN if under_way else RecordState.DONE, stored.request)
    known = _published(resource, observed)
    if known is None:
        handled = resource.status.last_handled
        known = RotationRecord(RecordState.DONE, digest(resource.rotate if handled is None else handled.rotate))
    if stored is None or stored.request != SCHEDULE:
        return known
    return RotationRecord(RecordState.SCHEDULED if under_way else RecordState.DONE, known.request)


def superseded(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether another party stored the current version while a rotation was rolling out its own."""
    vault, known = observed.vault, _published(resource, observed)
    if not isinstance(vault, VaultSecretFacts) or Rotated.on(vault.tags) is not None:
        return False
    return known is not None and known.state is not RecordState.DONE


def unanswered(resource: SecureRedisCache, observed: Observation) -> str | None:
    """Return the rotation request of the annotation if it was not answered yet; None: nothing is requested.

    A rotation that another party superseded answers its request, unless it was an emergency: the other party's key may
    be the leaked one.
    """
    request = resource.rotate
    if not request:
        return None
    known = record(resource, observed)
    if known.request != digest(request):
        return request
    if known.state is not RecordState.OPEN:
        return None
    return request if request.startswith(names.EMERGENCY) or not superseded(resource, observed) else None


def secret_annotations(
    resource: SecureRedisCache, observed: Observation, vault: VaultSecretFacts, password: bytes
) -> dict[str, str]:
    """Return the annotations of the Secret that record what the operator must not take from the status."""
    found = {names.SECRET_PUBLISHED: _published_at(resource, observed, vault, password)}
    settings = resource.spec.authentication
    if settings is not None and settings.key_vault.access is Access.READ_WRITE:
        found[names.SECRET_ROTATION] = str(record(resource, observed))
    return found


def _published_at(resource: SecureRedisCache, observed: Observation, vault: VaultSecretFacts, password: bytes) -> str:
    """Return since when the Secret holds this version: as it is recorded, or now if anything about it was changed."""
    now = rfc3339(observed.now)
    there = own_annotation(resource, observed, names.SECRET_PUBLISHED)
    secret, time = observed.secret, parse_rfc3339(there)
    if there is None or time is None or time > observed.now or not isinstance(secret, SecretFacts):
        return now
    if secret.annotations.get(names.SECRET_VERSION) != vault.version or "data.password" in secret.written_by:
        return now
    value = secret.data.get("password")
    return there if value is not None and same_value(value.get_secret_value(), password) else now


def own_annotation(resource: SecureRedisCache, observed: Observation, name: str) -> str | None:
    """Return an annotation of this resource's Secret, if the operator's field manager still owns it."""
    secret = observed.secret
    if not isinstance(secret, SecretFacts) or secret.owner_uid != resource.uid or name not in secret.own_annotations:
        return None
    return secret.annotations.get(name)


def _published(resource: SecureRedisCache, observed: Observation) -> RotationRecord | None:
    text = own_annotation(resource, observed, names.SECRET_ROTATION)
    return RotationRecord.parse(text) if text is not None else None
