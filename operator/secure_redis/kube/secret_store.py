"""The newest version of each watched Secret, for namespaces whose watch is in step."""

from collections.abc import Iterable

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.domain.observe.secret import SecretFacts


def newer(left: str, right: str) -> bool:
    """Whether resourceVersion `left` is newer than `right`.

    Comparable as integers since Kubernetes 1.35 (KEP-5504) and in practice before; others are taken as newer when
    they differ, so that an event is never lost.
    """
    if left.isdecimal() and right.isdecimal():
        return int(left) > int(right)
    return left != right


class SecretStore:
    """Keeps labelled Secrets by namespace and name. Answers only for namespaces whose watch is in step."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[str, str], SecretFacts] = {}
        self._synced: set[str] = set()
        self._everywhere = False
        self._gone: dict[tuple[str, str], str] = {}
        self._own: dict[tuple[str, str], str] = {}
        self._of: dict[Key, set[str]] = {}  # resource -> names of its Secrets: used in every pass

    def synced(self, namespace: str) -> bool:
        """Whether a watch that covers this namespace is in step."""
        return self._everywhere or namespace in self._synced

    def known(self, namespace: str, name: str) -> SecretFacts | None:
        """Return the last version that a watch delivered, whether or not it is in step."""
        return self._secrets.get((namespace, name))

    def get(self, namespace: str, name: str) -> SecretFacts | None:
        """Return the newest version; None if there is none or no watch is in step: then it has to be read."""
        return self._secrets.get((namespace, name)) if self.synced(namespace) else None

    def of_resource(self, key: Key) -> tuple[SecretFacts, ...]:
        """Return all Secrets whose label or annotation names this resource."""
        return tuple(self._secrets[key.namespace, name] for name in sorted(self._of.get(key, ())))

    def versions(self, namespace: str | None) -> dict[str, str]:
        """Return the known versions by namespace and name, of one namespace or of all."""
        known = self._secrets.items()
        return {f"{where}/{name}": one.resource_version for (where, name), one in known if namespace in (None, where)}

    def wrote(self, namespace: str, name: str, resource_version: str) -> bool:
        """Whether this very version is the operator's own write."""
        return self._own.get((namespace, name)) == resource_version

    def put(self, namespace: str, secret: SecretFacts, *, own: bool = False) -> bool:
        """Store a version. False: it is not newer than the known one."""
        place = (namespace, secret.name)
        if own:
            self._own[place] = secret.resource_version
        known = self._secrets.get(place)
        if known is not None and not newer(secret.resource_version, known.resource_version):
            return False
        if place in self._gone and not newer(secret.resource_version, self._gone[place]):
            return False
        if secret.labels.get(names.MANAGED_BY) != names.MANAGER:
            self._remove(place)  # the watch would not deliver it either
            return True
        self._remove(place)
        self._secrets[place] = secret
        for key in resources_of(namespace, secret):
            self._of.setdefault(key, set()).add(secret.name)
        return True

    def drop(self, namespace: str, name: str, resource_version: str) -> SecretFacts | None:
        """Drop a Secret that a watch reports as gone (or unlabelled). Return it; None if unknown or newer."""
        place = (namespace, name)
        known = self._secrets.get(place)
        if known is None or newer(known.resource_version, resource_version):
            return None
        self._gone[place] = resource_version
        self._own.pop(place, None)
        return self._remove(place)

    def forget(self, namespace: str, name: str, uid: str) -> None:
        """Drop a Secret that the operator deleted, until a watch delivers one again."""
        known = self._secrets.get((namespace, name))
        if known is not None and known.uid == uid:
            self._remove((namespace, name))
            self._gone[(namespace, name)] = known.resource_version

    def begin(
        self, namespace: str | None, listed: Iterable[tuple[str, SecretFacts]], resource_version: str
    ) -> set[Key]:
        """Start (or restart) a watch of `namespace` (None: all) with a list of this version.

        Returns the resources whose Secrets are not as they were known.
        """
        present: set[tuple[str, str]] = set()
        touched: set[Key] = set()
        for where, secret in listed:
            present.add((where, secret.name))
            earlier = self.known(where, secret.name)
            if self.put(where, secret):
                touched |= resources_of(where, secret) | (resources_of(where, earlier) if earlier else set())
        for place, secret in list(self._secrets.items()):
            # A Secret that the operator wrote after the list was made is not in it, and exists all the same.
            missing = place not in present and not newer(secret.resource_version, resource_version)
            if namespace in (None, place[0]) and missing:
                self._remove(place)
                touched |= resources_of(place[0], secret)
        self._gone = {place: version for place, version in self._gone.items() if namespace not in (None, place[0])}
        if namespace is None:
            self._everywhere = True
        else:
            self._synced.add(namespace)
        return touched

    def end(self, namespace: str | None) -> None:
        """Note that the watch is out of step: reads go to the API server until the next `begin`."""
        if namespace is None:
            self._everywhere = False
        else:
            self._synced.discard(namespace)

    def _remove(self, place: tuple[str, str]) -> SecretFacts | None:
        secret = self._secrets.pop(place, None)
        if secret is not None:
            for key in resources_of(place[0], secret):
                secret_names = self._of[key]
                secret_names.discard(secret.name)
                if not secret_names:
                    del self._of[key]
        return secret


def resources_of(namespace: str, secret: SecretFacts) -> set[Key]:
    """Return the resources that a Secret's label or annotation names: where one was removed, the other is left."""
    found = (secret.labels.get(names.CACHE_LABEL), secret.annotations.get(names.SECRET_RESOURCE))
    return {Key(namespace, name) for name in found if name}
