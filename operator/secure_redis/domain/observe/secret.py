"""A Secret as the API server answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretBytes


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """A Secret of the resource's namespace that has the published name."""

    name: str
    uid: str
    resource_version: str
    type: str
    data: Mapping[str, SecretBytes] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    # Of a controller in ownerReferences if there is one, else of the resource that the operator's annotations name.
    owner_uid: str | None = None
    owner_name: str | None = None
    owner_kind: str | None = None
    # The uids of SecureRedisCaches in ownerReferences: the garbage collector deletes the Secret with its last owner.
    referenced_by: frozenset[str] = frozenset()
    written: bool = False  # the operator's field manager owns data of it
    immutable: bool = False
    deleting: bool = False
    # Names that the operator wrote and whose field manager it still is.
    own_labels: frozenset[str] = frozenset()
    own_annotations: frozenset[str] = frozenset()
    # Fields that others wrote and own alone, such as `data.host`, `labels[team]`, with the name of their field manager.
    written_by: Mapping[str, str] = field(default_factory=dict)
