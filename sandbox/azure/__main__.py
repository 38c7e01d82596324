"""`python -m sandbox.azure --directory DIR`: run the simulator until a signal ends it."""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from pathlib import Path

from aiohttp import web

from sandbox.azure.control.server import ControlApi
from sandbox.azure.server import application, tls_context, valid_domain
from sandbox.azure.state.listeners import NoListeners, fleet_listeners
from sandbox.azure.state.world import Names, World

READY = "azure.json"
_SHUTDOWN_SECONDS = 0.5


def _arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.azure", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where azure.json and the control token go")
    parser.add_argument("--domain", default="sandbox.test", help="the made-up domain of all hosts")
    parser.add_argument("--address", default="127.0.0.1", help="the loopback address to listen on")
    parser.add_argument("--port", type=int, default=0, help="the TLS port; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="the control port; 0 takes a free one")
    parser.add_argument("--ca", type=Path, help="the certificate authority's directory; default: DIRECTORY/ca")
    parser.add_argument("--hosts", type=Path, help="the hosts file that names go into; default: DIRECTORY/hosts")
    parser.add_argument("--redis", action="store_true", help="run a real redis-server with TLS for every cache")
    given = parser.parse_args(argv)
    if not valid_domain(given.domain):
        parser.error(f"--domain: {given.domain!r} is no host name")
    if not given.address.startswith("127."):
        parser.error("--address: the simulator listens on loopback only")
    return given


def _port_of(site_runner: web.AppRunner) -> int:
    addresses = site_runner.addresses
    return int(addresses[0][1])


def _write_private(path: Path, text: str) -> None:
    """Write a file atomically and for this user only: readers see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as sink:
        sink.write(text)
    fresh.replace(path)


async def _serve(given: argparse.Namespace) -> None:
    from sandbox.ca import CertificateAuthority
    from sandbox.names import HostsFile

    directory: Path = given.directory
    ca_directory = given.ca or directory / "ca"
    hosts_path = given.hosts or directory / "hosts"
    authority = CertificateAuthority.create_or_load(ca_directory)
    hosts = HostsFile(hosts_path)
    domain = given.domain
    certificate = authority.issue(f"login.{domain}", f"management.{domain}", f"*.vault.{domain}")

    # The port is part of every URL, so the socket comes before the world. A second runner would need a second socket.
    world = World(Names(domain, given.port))
    runner = web.AppRunner(
        application(world), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    await web.TCPSite(
        runner,
        given.address,
        given.port,
        ssl_context=tls_context(certificate.cert_file, certificate.key_file),
        backlog=512,
    ).start()
    world.names = Names(domain, _port_of(runner))
    world.listeners = (
        fleet_listeners(directory / "redis", ca_directory, hosts_path, lambda c: world.names.host_of(c))
        if given.redis
        else NoListeners()
    )

    token = secrets.token_urlsafe(32)
    control = ControlApi(world, token, lambda host: hosts.set(host, given.address))
    control_runner = web.AppRunner(control.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await control_runner.setup()
    await web.TCPSite(control_runner, "127.0.0.1", given.control_port).start()
    for host in (f"login.{domain}", f"management.{domain}"):
        hosts.set(host, given.address)
    ready = {
        "domain": domain,
        "port": world.names.port,
        "address": given.address,
        "control": f"http://127.0.0.1:{_port_of(control_runner)}",
        "token": token,
        "ca_file": str(authority.ca_file),
        "hosts_file": str(hosts_path),
        "pid": os.getpid(),
    }
    _write_private(directory / READY, json.dumps(ready))

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    timeline = asyncio.create_task(world.timeline.run(), name="timeline")
    stopping = asyncio.create_task(ended.wait(), name="ended")
    try:
        await asyncio.wait({timeline, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if timeline.done():
            timeline.result()  # an effect failed: end with its error rather than serve a world without effects
    finally:
        (directory / READY).unlink(missing_ok=True)
        for task in (timeline, stopping):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        await control_runner.cleanup()
        await runner.cleanup()
        await world.listeners.close()


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    given = _arguments(argv)
    given.directory = given.directory.absolute()
    given.directory.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(_serve(given))
    except OSError as error:
        print(f"the Azure simulator cannot run: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
