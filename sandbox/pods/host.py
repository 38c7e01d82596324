"""The shared environment of all pods of the stand-in."""

import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from sandbox.addresses import Addresses
from sandbox.pods.api import Api, Object
from sandbox.pods.fields import Lookup
from sandbox.pods.images import Image

HOST_IP = "127.0.0.1"


@dataclasses.dataclass(frozen=True)
class Host:
    """The node: API, images, hosts file, addresses, and a callback for events (pod, type, reason, message)."""

    api: Api
    node: str
    directory: Path
    hosts_file: Path
    images: Mapping[str, Image]
    addresses: Addresses
    lookup: Lookup
    event: Callable[[Object, str, str, str], Coroutine[Any, Any, None]]
    backoff_seconds: float


def pod_path(pod: Object) -> str:
    """Return the API path of a pod."""
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
