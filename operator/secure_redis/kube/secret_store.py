"""The newest version of each Secret of the resources, for namespaces whose watch is in step.

Only the Secrets of the resources that are served are kept: those with a name that a resource gives its Secret, and
those that carry a resource's uid, within bounds. A label, which anyone may set, does not suffice. Of all others nothing
is kept.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.kube.secret_facts import owner_of, size

# A uid can be copied. A resource has one Secret, and more only after its `secretName` changed.
MOST_CLAIMS: Final = 50  # Secrets that carry the uid of one resource; with more, they are listed when they are needed
_MOST_KEPT: Final = 4  # of those, with their content; the others are read when they are needed
LARGEST: Final = 32 * 1024  # bytes of a Secret that is kept with its content; an ordinary one has about 2 KiB
NAMESPACE_BYTES: Final = 64 * 1024  # that a namespace's Secrets may take together, and as much more for each resource:
RESOURCE_BYTES: Final = 16 * 1024
_MOST_GONE: Final = 1000

Place = tuple[str, str]  # namespace and name


def newer(left: str, right: str) -> bool:
    """Whether resourceVersion `left` is newer than `right`.

    Comparable as integers since Kubernetes 1.35 (KEP-5504) and in practice before; others are taken as newer when
    they differ, so that an event is never lost.
    """
    if left.isdecimal() and right.isdecimal():
        return int(left) > int(right)
    return left != right


class _Claim(NamedTuple):
    """The facts of a Secret without its content. `owner`: the uid of the resource that it names as its owner."""

    uid: str
    version: str
    owner: str | None


class SecretStore:
    """Keeps the resources' Secrets by namespace and name. Answers only for namespaces whose watch is in step."""

    def __init__(self) -> None:
        self._served: dict[Key, tuple[str, frozenset[str]]] = {}  # uid, and the names of its Secrets
        self._named: dict[Place, set[Key]] = {}
        self._uids: dict[Place, Key] = {}  # namespace and uid -> the resource
        self._claims: dict[Place, _Claim] = {}
        self._of: dict[Place, set[str]] = {}  # namespace and uid -> names of Secrets: used in every pass
        self._flooded: set[Place] = set()  # namespace and uid: with more claims than are kept
        self._secrets: dict[Place, SecretFacts] = {}
        self._bytes: dict[str, int] = {}
        self._resources: dict[str, int] = {}
        self._synced: set[str] = set()
        self._everywhere = False
        self._gone: dict[Place, str] = {}
        self._own: dict[Place, str] = {}

    # --- whose Secrets are kept -----------------------------------------------------------------------------------

    def serve(self, key: Key, uid: str, secret_names: frozenset[str]) -> None:
        """Keep the Secrets of this resource from now on. Those that a watch delivered before are read when needed."""
        known = self._served.get(key)
        if known == (uid, secret_names):
            return
        if known is not None and known[0] != uid:
            self.unserve(key)
            known = None
        if known is None:
            self._resources[key.namespace] = self._resources.get(key.namespace, 0) + 1
        for name in secret_names - (known[1] if known else frozenset()):
            self._named.setdefault((key.namespace, name), set()).add(key)
        for name in (known[1] if known else frozenset()) - secret_names:
            self._unname((key.namespace, name), key)
        self._uids[key.namespace, uid] = key
        self._served[key] = (uid, secret_names)

    def introduce(self, key: Key, uid: str) -> None:
        """Keep the Secrets that carry this resource's uid, before its whole body is known."""
        known = self._served.get(key)
        if known is None or known[0] != uid:
            self.serve(key, uid, frozenset())

    def unserve(self, key: Key) -> None:
        """Forget a resource that is gone, and its Secrets."""
        known = self._served.pop(key, None)
        if known is None:
            return
        uid, secret_names = known
        owner = (key.namespace, uid)
        self._uids.pop(owner, None)
        self._flooded.discard(owner)
        for name in secret_names:
            self._unname((key.namespace, name), key)
        for name in [*secret_names, *self._of.get(owner, ())]:
            claim = self._claims.get((key.namespace, name))
            if claim is not None and not self._wanted((key.namespace, name), claim.owner):
                self._own.pop((key.namespace, name), None)
                self._remove((key.namespace, name))
        self._resources[key.namespace] -= 1
        if not self._resources[key.namespace]:
            del self._resources[key.namespace]

    def wants(self, meta: Mapping[str, Any]) -> bool:
        """Whether a Secret with this metadata is one of a resource that is served."""
        return self._wanted((meta["namespace"], meta["name"]), owner_of(meta).get("uid"))

    def resources_of(self, namespace: str, name: str, uid: str | None = None) -> set[Key]:
        """Return the resources of a Secret: by its name, by the uid that it carries, and by the one that it carried."""
        place = (namespace, name)
        claim = self._claims.get(place)
        owners = {uid, claim.owner if claim else None}
        found = {self._uids[namespace, one] for one in owners if one is not None and (namespace, one) in self._uids}
        return found | self._named.get(place, set())

    # --- what is known of them ------------------------------------------------------------------------------------

    def synced(self, namespace: str) -> bool:
        """Whether a watch that covers this namespace is in step."""
        return self._everywhere or namespace in self._synced

    def get(self, namespace: str, name: str) -> SecretFacts | None:
        """Return the newest version; None if it is not kept or no watch is in step: then it has to be read."""
        return self._secrets.get((namespace, name)) if self.synced(namespace) else None

    def claimed_by(self, key: Key, uid: str) -> frozenset[str] | None:
        """Return the names of all Secrets that carry this resource's uid; None: they have to be listed."""
        known = self._served.get(key)
        if not self.synced(key.namespace) or known is None or known[0] != uid:
            return None
        owner = (key.namespace, uid)
        return None if owner in self._flooded else frozenset(self._of.get(owner, ()))

    def versions(self, namespace: str | None) -> dict[str, str]:
        """Return the known versions by namespace and name, of one namespace or of all."""
        known = self._claims.items()
        return {f"{where}/{name}": one.version for (where, name), one in known if namespace in (None, where)}

    @property
    def bytes(self) -> int:
        """About how many bytes the content of all Secrets takes."""
        return sum(self._bytes.values())

    def wrote(self, namespace: str, name: str, resource_version: str) -> bool:
        """Whether this very version is the operator's own write."""
        return self._own.get((namespace, name)) == resource_version

    def put(self, namespace: str, secret: SecretFacts, *, own: bool = False) -> bool:
        """Store a version of a Secret of a resource. False: it is not newer than the known one."""
        place = (namespace, secret.name)
        if own and self._wanted(place, secret.owner_uid):
            self._own[place] = secret.resource_version
        claim = self._claims.get(place)
        if claim is not None and not newer(secret.resource_version, claim.version):
            return False
        if place in self._gone and not newer(secret.resource_version, self._gone[place]):
            return False
        self._remove(place)
        # Without the label, the watch does not report what becomes of it.
        if self._wanted(place, secret.owner_uid) and secret.labels.get(names.MANAGED_BY) == names.MANAGER:
            self._add(place, secret)
        return True

    def drop(self, namespace: str, name: str, resource_version: str) -> bool:
        """Drop a Secret that a watch reports as gone (or unlabelled). False: it is not known, or it is newer."""
        place = (namespace, name)
        claim = self._claims.get(place)
        if claim is None or newer(claim.version, resource_version):
            return False
        self._note_gone(place, resource_version)
        self._own.pop(place, None)
        self._remove(place)
        return True

    def forget(self, namespace: str, name: str, uid: str) -> None:
        """Drop a Secret that the operator deleted, until a watch delivers one again."""
        place = (namespace, name)
        claim = self._claims.get(place)
        if claim is not None and claim.uid == uid:
            self._note_gone(place, claim.version)
            self._remove(place)

    # --- the watches ----------------------------------------------------------------------------------------------

    def listed(self, namespace: str, secret: SecretFacts) -> set[Key]:
        """Take a Secret of a list. Returns the resources for which it is not as it was known."""
        before = self.resources_of(namespace, secret.name)
        if not self.put(namespace, secret):
            return set()
        return before | self.resources_of(namespace, secret.name)

    def begin(self, namespace: str | None, present: set[Place], resource_version: str) -> set[Key]:
        """Start (or restart) a watch of `namespace` (None: all) after a list of this version with these Secrets.

        Returns the resources whose Secrets are not in the list any more.
        """
        touched: set[Key] = set()
        for place, claim in list(self._claims.items()):
            # A Secret that the operator wrote after the list was made is not in it, and exists all the same.
            missing = place not in present and not newer(claim.version, resource_version)
            if namespace in (None, place[0]) and missing:
                touched |= self.resources_of(*place)
                self._own.pop(place, None)
                self._remove(place)
        self._gone = {place: version for place, version in self._gone.items() if namespace not in (None, place[0])}
        if namespace is None:
            self._everywhere = True
        else:
            self._synced.add(namespace)
        return touched

    def relist(self, namespace: str | None) -> None:
        """Note that a list of `namespace` (None: all) begins, which shows all Secrets of each resource."""
        self._flooded = {one for one in self._flooded if namespace not in (None, one[0])}

    def end(self, namespace: str | None) -> None:
        """Note that the watch is out of step: reads go to the API server until the next `begin`."""
        if namespace is None:
            self._everywhere = False
        else:
            self._synced.discard(namespace)

    # --- one Secret -----------------------------------------------------------------------------------------------

    def _wanted(self, place: Place, owner: str | None) -> bool:
        return place in self._named or (owner is not None and (place[0], owner) in self._uids)

    def _add(self, place: Place, secret: SecretFacts) -> None:
        """Note the Secret, and keep its content as far as the bounds allow."""
        namespace, name = place
        kept = 0
        if secret.owner_uid is not None:
            owner = (namespace, secret.owner_uid)
            others = self._of.get(owner, set())
            if len(others) >= MOST_CLAIMS:
                self._flooded.add(owner)
                if place not in self._named:
                    return
            kept = sum((namespace, other) in self._secrets for other in others)
            self._of.setdefault(owner, set()).add(name)
        self._claims[place] = _Claim(secret.uid, secret.resource_version, secret.owner_uid)
        length, taken = size(secret), self._bytes.get(namespace, 0)
        most = NAMESPACE_BYTES + RESOURCE_BYTES * self._resources.get(namespace, 0)
        if length <= LARGEST and taken + length <= most and (place in self._named or kept < _MOST_KEPT):
            self._secrets[place] = secret
            self._bytes[namespace] = taken + length

    def _remove(self, place: Place) -> None:
        namespace, name = place
        claim, secret = self._claims.pop(place, None), self._secrets.pop(place, None)
        if secret is not None:
            self._bytes[namespace] -= size(secret)
            if not self._bytes[namespace]:
                del self._bytes[namespace]
        if claim is not None and claim.owner is not None:
            of = self._of[namespace, claim.owner]
            of.discard(name)
            if not of:
                del self._of[namespace, claim.owner]

    def _note_gone(self, place: Place, version: str) -> None:
        self._gone[place] = version
        if len(self._gone) > _MOST_GONE:  # an event that is this late does not come any more
            del self._gone[next(iter(self._gone))]

    def _unname(self, place: Place, key: Key) -> None:
        keys = self._named.get(place)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._named[place]
