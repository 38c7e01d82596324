"""The rotations of a soak, each with its proof that the key really changed and reached every pod."""

import random
import time
from collections.abc import Callable

from sandbox.soak.scene import NAME, Scene, SoakError

_CRASH = {"name": "CANARY_CRASH", "value": "1"}


class Killer:
    """Kills the operator (`kill -9`) at random moments while it leads, and starts a new one immediately."""

    def __init__(self, scene: Scene, chance: random.Random, longest_seconds: float) -> None:
        """The next kill comes up to `longest_seconds` after an operator has begun to lead."""
        self.kills = 0
        self._scene = scene
        self._chance = chance
        self._longest = longest_seconds
        self._former = ""
        self._due: float | None = None

    def __call__(self) -> None:
        """Kill it if it is time."""
        if self._due is None:
            holder = self._scene.leader
            if holder not in ("", self._former):
                self._former = holder
                self._due = time.monotonic() + self._chance.uniform(0, self._longest)
        elif time.monotonic() >= self._due:
            self._due = None
            self._scene.world.stop_operator(kill=True)
            self._scene.world.start_operator()
            self.kills += 1


def followed(scene: Scene) -> None:
    """Regenerate the unused key as another party and store it. The operator follows."""
    before, published_before = scene.keys, scene.published
    slot = next(slot for slot, key in before.items() if key != published_before)
    key = scene.control.regenerate(NAME, slot)
    version = scene.store(key, slot)
    scene.refresh()
    scene.until(lambda: scene.current(version), f"the new {slot} key to reach every pod")
    _prove(scene, before, published_before, slots=1)


def led(scene: Scene, request: str, *, slots: int = 2, begun: Callable[[], None] = lambda: None) -> None:
    """Request a rotation by the operator. `begun` is called after the request.

    `slots`: how many keys must change. Both, where there are no other consumers: the new one and, once every pod holds
    it, the old one.
    """
    before, published_before, since = scene.keys, scene.published, scene.world.control.log.position()
    scene.annotate(rotate=request)
    begun()
    scene.until(lambda: _completed(scene, request), f"the rotation {request!r} to be completed")
    _prove(scene, before, published_before, slots=slots)
    sent = [one for one in scene.world.control.log.effects(since) if one.kind == scene.service.regenerated]
    if len(sent) != slots:
        raise SoakError(f"the rotation {request!r} regenerated {len(sent)} keys, not {slots}: {sent}")
    newest = scene.world.control.keyvault.secret_versions(scene.team.name, NAME)[-1]
    if newest.value != scene.published:
        raise SoakError(f"after the rotation {request!r} Key Vault does not hold the key that is published")


def failed_rollout(scene: Scene, request: str, hold_seconds: float) -> None:
    """Break `web`, then request a rotation: it stops with both keys alive, and continues once `web` works."""
    after_failure: dict[str, str] = {}

    def break_and_mend() -> None:
        scene.until(lambda: _stopped(scene), "the failed rollout to be reported")
        after_failure.update(scene.keys)
        mended_at = time.monotonic() + hold_seconds
        scene.until(lambda: time.monotonic() >= mended_at, "the pause", hold_seconds + 30)
        if scene.keys != after_failure:
            raise SoakError("a key was regenerated while a rollout had failed")
        _must_hold_live_keys(scene)
        scene.patch("web", _web({**_CRASH, "$patch": "delete"}))

    scene.patch("web", _web(_CRASH))
    led(scene, request, begun=break_and_mend)


def _web(entry: dict[str, str]) -> dict[str, object]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "env": [entry]}]}}}}


def _stopped(scene: Scene) -> bool:
    web = [one for one in scene.status.get("workloads", []) if one.get("name") == "web"]
    return any(one.get("reason") in ("RolloutFailed", "RolloutDeadline") for one in web)


def _must_hold_live_keys(scene: Scene) -> None:
    """Require that every running pod proves one of the cache's two keys."""
    keys = list(scene.keys.values())
    ready = [
        pod
        for pod in scene.live_pods()
        if any(
            one["type"] == "Ready" and one["status"] == "True" for one in pod.get("status", {}).get("conditions", [])
        )
    ]
    dead = [pod["metadata"]["name"] for pod in ready if not any(scene.holds(pod, key) for key in keys)]
    if dead or not ready:
        raise SoakError(f"after a failed rollout {', '.join(dead) or 'no pod'} holds a key that is alive")


def _completed(scene: Scene, request: str) -> bool:
    status = scene.status
    phase = (status.get("rotation") or {}).get("phase")
    return bool(phase == "Completed" and (status.get("lastHandled") or {}).get("rotate") == request)


def _prove(scene: Scene, before: dict[str, str], published_before: str, *, slots: int) -> None:
    """Require that the expected keys changed, that another live one is published, and that every pod uses it."""
    after, published = scene.keys, scene.published
    changed = [slot for slot in after if after[slot] != before[slot]]
    if len(changed) != slots:
        raise SoakError(f"{len(changed)} keys were changed, not {slots}: {', '.join(changed)}. {scene.says()}")
    if published == published_before or published not in after.values():
        raise SoakError(f"the key that is published was not changed, or is not alive. {scene.says()}")
    scene.must_hold(published)
