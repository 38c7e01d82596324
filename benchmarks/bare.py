"""A minimal client with the same outcome: `python -m benchmarks.bare PLAN`.

A process that creates the Secrets and writes claims and statuses of equal objects, with the operator's own client,
permissions, concurrency and log configuration. It is given what to write: no watch, no Azure, no decision.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.kube import all_of, client
from secure_redis.api import names
from secure_redis.kube import paths
from secure_redis.kube.client import KubeClient


async def _one(kube: KubeClient, plan: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    meta = body["metadata"]
    place = (meta["namespace"], meta["name"])
    precondition = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    written = await kube.patch(
        paths.resource(*place), {"metadata": {**precondition, "annotations": {names.OPERATOR: plan["claim"]}}}, "merge"
    )
    secret: Mapping[str, Any] = plan["secret"]
    labels = {**secret["metadata"]["labels"], names.CACHE_LABEL: meta["name"]}
    metadata = {
        "name": meta["name"],
        "labels": labels,
        "annotations": {**secret["metadata"]["annotations"], names.SECRET_UID: meta["uid"]},
    }
    await kube.create(
        paths.secrets(meta["namespace"]),
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": secret["type"], "data": secret["data"]},
        {"fieldManager": names.FIELD_MANAGER, "fieldValidation": "Strict"},
    )
    precondition["resourceVersion"] = written["metadata"]["resourceVersion"]
    await kube.patch(paths.resource(*place, "status"), {"metadata": precondition, "status": plan["status"]}, "merge")


async def _work(plan: Mapping[str, Any]) -> None:
    async with client(Path(plan["kubeconfig"]), requests=plan["requests"]) as kube:
        bodies = (await kube.list(paths.resources())).items
        mine = [body for body in bodies if body["metadata"]["namespace"].startswith(plan["prefix"])]
        await all_of((_one(kube, plan, body) for body in mine), parallel=plan["passes"])


if __name__ == "__main__":
    asyncio.run(_work(json.loads(Path(sys.argv[1]).read_text())))
