"""Side effects of an operator: recorded in an undisturbed run, then held one by one in others."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.azure.state.faults import Fault
from sandbox.gate import Gate, Hold, Moment, Write
from sandbox.waiting import wait_for
from tests.faults.scenarios import Stage

# The change that a write to Azure makes, by method and the kind of its target.
_CHANGES = {
    ("PUT", "cache"): "cache.create",
    ("PATCH", "cache"): "cache.update",
    ("DELETE", "cache"): "cache.delete",
    ("PUT", "rule"): "firewallRule.set",
    ("DELETE", "rule"): "firewallRule.delete",
    ("PUT", "secret"): "secret.set",
    ("PATCH", "secret"): "secret.update",
    ("POST", "key"): "cache.regenerateKey",
    ("PUT", "cluster"): "cluster.create",
    ("PATCH", "cluster"): "cluster.update",
    ("DELETE", "cluster"): "cluster.delete",
    ("PUT", "database"): "database.put",
    ("POST", "database key"): "managedKey.regenerate",
}
# The path of each kind of target, by the cache's name.
_PATHS = {
    "cache": "/redis/{}$",
    "rule": "/redis/{}/firewallRules/",
    "key": "/redis/{}/regenerateKey$",
    "cluster": "/redisEnterprise/{}$",
    "database": "/redisEnterprise/{}/databases/default$",
    "database key": "/redisEnterprise/{}/databases/default/regenerateKey$",
    "secret": "^/secrets/{}(/|$)",
}


@dataclass(frozen=True)
class SideEffect:
    """The `nth` (from 0) of its kind in a run: a write to Kubernetes by `what`, or to Azure by method and `target`."""

    what: str
    nth: int
    target: str = ""  # one of _PATHS: in Azure; empty: in Kubernetes

    def __str__(self) -> str:
        return f"{self.what} {self.target}".strip() + f" #{self.nth + 1}"


def recorded(stage: Stage, gate: Gate, gate_mark: int, azure_mark: int) -> list[SideEffect]:
    """The side effects of a run since the marks, in the order in which they were asked for."""
    found: list[tuple[float, str, str]] = [
        (write.at, write.what, "") for write in gate.writes(gate_mark) if _of(stage, write) and _done(write)
    ]
    found += [
        (request.time, request.method, target)
        for request in stage.world.control.log.writes(azure_mark)
        if (request.method, target := _target(stage, request.path)) in _CHANGES
    ]
    observed: Counter[tuple[str, str]] = Counter()
    effects = []
    for _, what, target in sorted(found):
        effects.append(SideEffect(what, observed[what, target], target))
        observed[what, target] += 1
    return effects


class Held:
    """Arms the hold of one side effect of a stage at one moment; from now on counts."""

    def __init__(self, stage: Stage, gate: Gate, effect: SideEffect, moment: Moment) -> None:
        self._stage = stage
        self._gate = gate
        self._effect = effect
        self._moment = moment
        self._hold: Hold | None = None
        self._fault = ""
        self._mark = stage.world.control.log.position()
        if effect.target:
            self._fault = stage.world.control.faults.add(self._hanging())
        else:
            self._hold = gate.hold(self._counting(), moment)

    @property
    def reached(self) -> bool:
        """Whether the operator now waits for the answer, and the effect is there (`after`) or not (`before`)."""
        if self._hold is not None:
            return self._hold.reached.is_set()
        if not self._stage.world.control.faults.hits().get(self._fault):
            return False
        return self._moment == "before" or self._changes() > self._effect.nth

    def wait(self, timeout: float, done: Callable[[], bool]) -> bool:
        """Wait until it is held. False: `done` came first, and this run has fewer of its kind. Raises TimeoutError.

        How often a status is written depends on what falls into one pass: no other side effect may be missing.
        """

        def enough() -> bool:
            self._stage.others()
            return self.reached or (self._varies and done())

        wait_for(enough, timeout, f"{self._effect} to be held")
        return self.reached

    @property
    def _varies(self) -> bool:
        return self._effect.what.endswith("/status") and self._effect.nth > 0

    def drop(self) -> None:
        """The request ends without an answer."""
        if self._hold is not None:
            self._gate.drop(self._hold)
        else:
            self._stage.world.control.faults.remove(self._fault)

    def _changes(self) -> int:
        kind = _CHANGES[self._effect.what, self._effect.target]
        return self._stage.effects(self._mark).count(kind)

    def _hanging(self) -> Fault:
        effect = self._effect
        return Fault(
            service="vault" if effect.target == "secret" else "arm",
            method=effect.what,
            path=_PATHS[effect.target].format(self._stage.name),
            kind="hang",
            when=self._moment,
            skip=effect.nth,
        )

    def _counting(self) -> Callable[[Write], bool]:
        """Says yes to the nth of its kind. A refused one (another client's write came first) changed nothing."""
        observed: list[Write] = []

        def is_it(write: Write) -> bool:
            if not _of(self._stage, write) or write.what != self._effect.what:
                return False
            observed.append(write)
            return sum(_done(one) for one in observed[:-1]) == self._effect.nth

        return is_it


def _done(write: Write) -> bool:
    return 0 < write.status < 400


def _of(stage: Stage, write: Write) -> bool:
    return f"/namespaces/{stage.team.namespace}/" in write.path


def _target(stage: Stage, path: str) -> str:
    """Which kind of target of the stage's cache this is; empty: none of them."""
    found = (kind for kind, shape in _PATHS.items() if re.search(shape.format(stage.name), path, re.IGNORECASE))
    return next(found, "")
