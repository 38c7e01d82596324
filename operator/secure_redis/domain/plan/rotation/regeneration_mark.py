"""The mark that shows whether a key was regenerated, by any party and across crashes: a tag in Key Vault.

Before a key is regenerated, the operator tags the current version of the vault secret with an HMAC keyed by that key.
While the listed key fits the tag, nothing was regenerated. Once it does not fit, the key is another one. The version
that stores the new key keeps the tag until the rotation has ended, so a rotation is under way exactly while the current
version has a mark. The mark names the rotation and the request, so that both are known without the status. Only Key
Vault stores the tag (no digest of a key leaves it), and it reveals nothing about a key of 256 random bits.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from secure_redis.api.names import ROTATION_TAG
from secure_redis.api.times import parse_rfc3339
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.normalise import same_word, tag

_OLD, _NEW = "old", "new"


@dataclass(frozen=True, slots=True)
class RegenerationMark:
    """A mark. `rotation`: when the rotation began (RFC 3339), which names it. `slot`: whose key is regenerated.

    `retiring`: it is the key that the rotation has replaced. `request`: the digest of the request
    (`rotation_record.digest`). `key`: the digest of the key before it, in hex.
    """

    rotation: str
    slot: Slot
    retiring: bool
    request: str
    key: str = ""

    @classmethod
    def on(cls, tags: Mapping[str, str]) -> "RegenerationMark | None":
        """Find the mark among a version's tags."""
        parts = (tag(tags, ROTATION_TAG) or "").split("/")
        if len(parts) != 5 or not all(parts) or parts[2] not in {_OLD, _NEW} or parts[1] not in set(Slot):
            return None
        if parse_rfc3339(parts[0]) is None or not parts[4].isascii():  # `compare_digest` takes nothing else
            return None
        return cls(parts[0], Slot(parts[1]), parts[2] == _OLD, parts[3], parts[4])

    @property
    def attempt(self) -> str:
        """Name this one regeneration: by the rotation, the slot, which of a rotation's two it is, and the request."""
        return f"{self.rotation}/{self.slot}/{_OLD if self.retiring else _NEW}/{self.request}"

    @property
    def target(self) -> Slot:
        """The slot that the rotation moves to."""
        return other(self.slot) if self.retiring else self.slot

    @property
    def tag(self) -> dict[str, str]:
        """The mark as a tag of a version."""
        return {ROTATION_TAG: f"{self.attempt}/{self.key}"}

    def of(self, key: SecretStr) -> "RegenerationMark":
        """Return the mark with the digest of this key."""
        return RegenerationMark(self.rotation, self.slot, self.retiring, self.request, _digest(self.attempt, key))

    def fits(self, key: SecretStr) -> bool:
        """Whether this is still the key that was marked."""
        return hmac.compare_digest(self.key, _digest(self.attempt, key))


def marked(tags: Mapping[str, str], mark: RegenerationMark) -> dict[str, str]:
    """Return a version's tags with the mark; an earlier mark is replaced."""
    return {**unmarked(tags), **mark.tag}


def unmarked(tags: Mapping[str, str]) -> dict[str, str]:
    """Return a version's tags without a mark."""
    return {name: value for name, value in tags.items() if not same_word(name, ROTATION_TAG)}


def key_of(keys: ListedKeys, slot: Slot) -> SecretStr:
    """Return the listed key of a slot."""
    return keys.primary if slot is Slot.PRIMARY else keys.secondary


def other(slot: Slot) -> Slot:
    """Return the other slot."""
    return Slot.SECONDARY if slot is Slot.PRIMARY else Slot.PRIMARY


def _digest(attempt: str, key: SecretStr) -> str:
    return hmac.new(key.get_secret_value().encode(), attempt.encode(), "sha256").hexdigest()
