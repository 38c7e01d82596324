"""The kubelet stand-in's client of the API server: requests, and mirrors updated by watches."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml

Object = dict[str, Any]
STRATEGIC = "application/strategic-merge-patch+json"
_RETRY_SECONDS = 1.0


class ApiError(RuntimeError):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """A session with the permissions of a kubeconfig (a token and the server's CA). Open it in a running loop."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.server: str = cluster["server"]
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}", "User-Agent": "sandbox-kubelet"},
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=authority), limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            trust_env=False,
        )

    async def close(self) -> None:
        """End the session."""
        await self._session.close()

    async def request(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Object:
        """Send one JSON request. Raises ApiError, aiohttp.ClientError."""
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self.server + path, data=data, headers={"Content-Type": content_type}
        ) as answer:
            text = await answer.text()
            if answer.status >= 400:
                try:
                    message = str(json.loads(text)["message"])
                except (ValueError, KeyError, TypeError):
                    message = text[:200]
                raise ApiError(answer.status, message)
            result: Object = json.loads(text)
            return result

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[tuple[str, Object]]:
        """Yield the events of a watch until the server ends it: (ADDED | MODIFIED | DELETED | ERROR …, object)."""
        async with self._session.get(self.server + path, params={**query, "watch": "true"}) as answer:
            if answer.status != 200:
                raise ApiError(answer.status, "the watch was refused")
            remaining = b""
            async for chunk in answer.content.iter_any():
                *lines, remaining = (remaining + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    yield event["type"], event["object"]


class Mirror:
    """Mirrors all objects of one kind, as (namespace, name) → object, while `run` runs."""

    def __init__(
        self, api: Api, path: str, changed: Callable[[Object, bool], None], query: Mapping[str, str] | None = None
    ) -> None:
        """`changed(object, gone)` is called for every difference, after `objects` has it."""
        self.objects: dict[tuple[str, str], Object] = {}
        self.synced = asyncio.Event()
        self._api = api
        self._path = path
        self._query = dict(query or {})
        self._changed = changed

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object, if it exists."""
        return self.objects.get((namespace, name))

    async def run(self) -> None:
        """List and watch forever. It lists again whenever a watch cannot be continued."""
        while True:
            try:
                version: str | None = await self._list()
                self.synced.set()
                while version is not None:
                    version = await self._follow(version)
            except (ApiError, aiohttp.ClientError, OSError, ValueError):
                await asyncio.sleep(_RETRY_SECONDS)

    async def _list(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self._query.items())
        answer = await self._api.request("GET", f"{self._path}?{query}")
        found = {_key(item): item for item in answer.get("items") or []}
        for key, item in list(self.objects.items()):
            if key not in found or found[key]["metadata"]["uid"] != item["metadata"]["uid"]:
                del self.objects[key]
                self._changed(item, True)
        for item in found.values():
            self._put(item)
        return str(answer["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> str | None:
        query = {**self._query, "resourceVersion": version, "allowWatchBookmarks": "true"}
        async for kind, item in self._api.watch(self._path, query):
            if kind == "ERROR":
                return None
            version = item["metadata"]["resourceVersion"]
            if kind == "DELETED":
                self.objects.pop(_key(item), None)
                self._changed(item, True)
            elif kind != "BOOKMARK":
                self._put(item)
        return version

    def _put(self, item: Object) -> None:
        before = self.objects.get(_key(item))
        self.objects[_key(item)] = item
        if before is None or before["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            self._changed(item, False)


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
