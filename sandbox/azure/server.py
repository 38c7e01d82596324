"""The simulator's process: one TLS port for every host of the made-up cloud, and the control port."""

import asyncio
import contextlib
import json
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from sandbox.azure import entra
from sandbox.azure.access import tokens
from sandbox.azure.access.call import Call
from sandbox.azure.arm import routes as arm
from sandbox.azure.keyvault import routes as vault
from sandbox.azure.responses import Answer
from sandbox.azure.state.faults import Fault
from sandbox.azure.state.request_log import (
    LoggedRequest,
    body_keys,
    is_write,
    shown_query,
)
from sandbox.azure.state.world import World

_LARGEST_BODY = 4 * 1024 * 1024
_HTML = (
    "<!DOCTYPE html><html><head><title>Service unavailable</title></head>"
    "<body><h1>Our services aren't available right now</h1><p>We're working to restore all services.</p></body></html>"
)


class _NoAnswer(Exception):
    """The connection was reset instead of an answer."""


@dataclass(frozen=True, slots=True)
class Frontend:
    """Receives requests, applies faults, dispatches and records them."""

    world: World

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, whichever host it is for."""
        world = self.world
        await world.timeline.run_due()
        service, vault_name = self._service(request.host)
        # Entra's form is read by aiohttp from the same cached body.
        call = Call(world, request, service, await request.read())
        fault = None
        status = 0
        try:
            caller = self._caller(request) if world.faults.by_principal else None
            fault = world.faults.take(service, call.method, call.path, caller)
            response = await self._answer(call, vault_name, fault)
        except _NoAnswer:
            return web.Response(status=500)  # never arrives: the transport is gone
        else:
            status = response.status
            return response
        finally:
            self._note(call, status, fault)

    def _service(self, host_and_port: str) -> tuple[str, str]:
        host = host_and_port.partition(":")[0].lower()
        domain = self.world.names.domain
        if host == f"login.{domain}":
            return "entra", ""
        if host == f"management.{domain}":
            return "arm", ""
        if host.endswith(f".vault.{domain}"):
            return "vault", host.removesuffix(f".vault.{domain}")
        return "unknown", ""

    def _caller(self, request: web.Request) -> str | None:
        """Return the object id of the request's token, valid or not. Faults of one caller use it."""
        for audience in (self.world.names.management, self.world.names.vault_resource):
            with contextlib.suppress(tokens.TokenError):
                return tokens.check(self.world, request.headers.get("Authorization"), audience).object_id
        return None

    async def _serve(self, call: Call, vault_name: str) -> Answer:
        match call.service:
            case "entra":
                return await entra.handle(call)
            case "arm":
                return await arm.handle(call)
            case "vault":
                return await vault.handle(call, vault_name)
        return Answer(404, {"error": {"code": "NotFound", "message": "This host is none of the simulator's."}})

    async def _answer(self, call: Call, vault_name: str, fault: Fault | None) -> web.StreamResponse:
        if fault is None:
            return _response(await self._serve(call, vault_name))
        if fault.when == "after" or fault.kind in ("truncated", "delay"):
            answer = await self._serve(call, vault_name)
        else:
            answer = Answer(fault.status)
        if fault.when == "later":

            async def effect() -> None:
                await self._serve(call, vault_name)

            self.world.timeline.after(fault.seconds, effect)
        match fault.kind:
            case "delay":
                await asyncio.sleep(fault.seconds)
                return _response(answer)
            case "truncated":
                return await _truncated(call, answer)
            case "hang":
                await self.world.faults.lifted(fault.id).wait()
                return web.Response(status=504)
            case "reset":
                _reset(call.request)
                raise _NoAnswer
            case "html":
                status = fault.status if fault.status != 500 else 502
                return web.Response(status=status, text=_HTML, content_type="text/html", headers=fault.headers)
        return _response(Answer(fault.status, fault.body, fault.headers))

    def _note(self, call: Call, status: int, fault: Fault | None) -> None:
        world = self.world
        try:
            keys = body_keys(json.loads(call.raw)) if call.raw and call.service != "entra" else ()
        except ValueError:
            keys = ()
        world.log.requests.append(
            LoggedRequest(
                number=world.log.number(),
                time=world.timeline.now(),
                service=call.service,
                method=call.method,
                host=call.request.host.partition(":")[0],
                path=call.path,
                query=shown_query(call.request.query.items()),
                status=status,
                principal=call.object_id or (self._caller(call.request) if fault else None),
                correlation_id=call.correlation_id,
                client_request_id=call.request.headers.get("x-ms-client-request-id"),
                action=call.action,
                authorized=tuple(sorted(call.authorized)),
                body_keys=keys,
                fault=fault.id if fault else None,
                is_write=is_write(call.method, call.path),
            )
        )


def _response(answer: Answer) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    body = json.dumps(answer.body).encode()
    return web.Response(status=answer.status, body=body, content_type="application/json", headers=answer.headers)


async def _truncated(call: Call, answer: Answer) -> web.StreamResponse:
    """Return half of the JSON as a complete HTTP message, as a broken proxy does."""
    body = json.dumps(answer.body).encode()
    half = body[: len(body) // 2]
    return web.Response(status=answer.status, body=half, content_type="application/json", headers=answer.headers)


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is not None:
        transport.abort()


def application(world: World) -> web.Application:
    """Return the application behind the TLS port."""
    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", Frontend(world).handle)
    return app


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the server's TLS: 1.2 and up."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def valid_domain(domain: str) -> bool:
    """Return whether the made-up domain is a plain host name."""
    return re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", domain) is not None
