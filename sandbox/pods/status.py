"""Computes a pod's status from the state of its containers. Pure."""

from collections.abc import Mapping, Sequence

from sandbox.pods.api import Object
from sandbox.pods.container import Container, State, now
from sandbox.pods.host import HOST_IP


def refused_status(pod: Object, reason: str, message: str) -> State:
    """Return the status of a refused pod, with the reason at each container."""
    waiting = [
        {
            "name": spec["name"],
            "image": spec["image"],
            "imageID": "",
            "ready": False,
            "started": False,
            "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": message}},
        }
        for spec in pod["spec"]["containers"]
    ]
    return {
        "phase": "Pending",
        "hostIP": HOST_IP,
        "startTime": (pod.get("status") or {}).get("startTime") or now(),
        "conditions": _conditions(pod, {"Ready": False, "ContainersReady": False}, reason, message),
        "containerStatuses": waiting,
    }


def status_of(
    pod: Object,
    pod_ip: str | None,
    initialised: bool,
    failed: bool,
    inits: Sequence[Container],
    mains: Sequence[Container],
) -> State:
    """Return the status of a pod that runs or ran. `failed`: an init container failed for good."""
    ready = initialised and all(one.ready for one in mains)
    status: State = {
        "phase": _phase(initialised, failed, mains),
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "conditions": _conditions(
            pod,
            {
                "PodReadyToStartContainers": pod_ip is not None,
                "Initialized": initialised,
                "Ready": ready,
                "ContainersReady": ready,
            },
            "ContainersNotReady",
            f"containers with unready status: [{' '.join(one.name for one in mains if not one.ready)}]",
        ),
        "containerStatuses": [one.status() for one in mains],
        "startTime": (pod.get("status") or {}).get("startTime") or now(),
    }
    if inits:
        status["initContainerStatuses"] = [{**one.status(), "ready": one.finished == 0} for one in inits]
    if pod_ip is not None:
        status |= {"podIP": pod_ip, "podIPs": [{"ip": pod_ip}]}
    return status


def _phase(initialised: bool, failed: bool, mains: Sequence[Container]) -> str:
    if failed:
        return "Failed"
    if not initialised:
        return "Pending"
    if all(one.finished is not None for one in mains):
        return "Succeeded" if all(one.finished == 0 for one in mains) else "Failed"
    never_ran = any("waiting" in one.state and not one.last_state for one in mains)
    return "Pending" if never_ran else "Running"


def _conditions(pod: Object, values: Mapping[str, bool], reason: str, message: str) -> list[State]:
    before = {entry["type"]: entry for entry in (pod.get("status") or {}).get("conditions") or []}
    result = []
    for kind, value in values.items():
        text = "True" if value else "False"
        old = before.get(kind)
        entry: State = {
            "type": kind,
            "status": text,
            "lastTransitionTime": now() if old is None or old["status"] != text else old["lastTransitionTime"],
        }
        if not value and kind in ("Ready", "ContainersReady"):
            entry |= {"reason": reason, "message": message}
        elif old is not None and "reason" in old:
            entry |= {"reason": None, "message": None}
        result.append(entry)
    return result
