"""Real client libraries connect with the published Secret, and refuse a server that is not the cache."""

from collections.abc import Callable

import pytest

from tests.clients.ecosystems import Launcher
from tests.clients.endpoint import DATABASE, KEY, Binding, Endpoint
from tests.clients.matrix import CLIENTS, TRAPS, Client, Ecosystem, Outcome, Trap

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_loads_the_secret_and_verifies_the_server(
    client: Client,
    endpoint: Endpoint,
    installed: Callable[[Ecosystem], Launcher],
    record_property: Callable[[str, object], None],
) -> None:
    record_property("client", client.name)
    record_property("ecosystem", client.ecosystem.value)
    run = installed(client.ecosystem)
    right = endpoint.binding(client.spec)
    for files in (False, True) if client.entries else (True,):
        endpoint.clear()
        done = run.run(client, right, files=files)
        record_property("version", done.version)
        assert done.error is None, f"with {'files' if files else 'variables'}: {done.error}"
        assert endpoint.size(DATABASE) > 0
        assert endpoint.size(0) == 0, "the client ignores the number of the database"
    refuses(client, endpoint, run, endpoint.of_another_authority(client.spec))
    other = endpoint.of_another_host(client.spec)
    if client.checks_host:
        refuses(client, endpoint, run, other)
    else:
        done = run.run(client, other, files=True)
        assert done.error is None, "the client verifies the host name: say so in the matrix and in docs/clients.md"


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.client.name)
def test_what_docs_clients_warns_of_happens(
    trap: Trap, endpoint: Endpoint, installed: Callable[[Ecosystem], Launcher]
) -> None:
    """Where this fails because the library improved, its row in docs/clients.md needs no trap any more."""
    client, run = trap.client, installed(trap.client.ecosystem)
    unverified = trap.outcome is Outcome.NO_VERIFICATION
    binding = endpoint.of_another_host(client.spec) if unverified else endpoint.binding(client.spec)
    endpoint.clear()
    with endpoint.counting() as traffic:
        done = run.run(client, binding, files=not client.entries, swapped=trap.swapped)
    happened = {
        Outcome.NO_CONNECTION: done.error is not None and traffic.connections == 0,
        Outcome.WRONG_PASSWORD: done.error is not None and traffic.refusals > 0,
        Outcome.WRONG_DATABASE: done.error is None and endpoint.size(DATABASE) == 0 < endpoint.size(0),
        Outcome.NO_VERIFICATION: done.error is None,
        Outcome.IN_CLEAR: traffic.in_clear,
    }
    assert happened[trap.outcome], f"{traffic}: {done.error}"
    assert traffic.in_clear == (trap.outcome is Outcome.IN_CLEAR)


def refuses(client: Client, endpoint: Endpoint, launcher: Launcher, binding: Binding) -> None:
    """The client comes to the server, finds the wrong certificate, and sends nothing."""
    with endpoint.counting() as traffic:
        done = launcher.run(client, binding, files=True)
    assert done.error is not None, "the client accepts a server that it must refuse"
    assert KEY not in done.error
    assert traffic.connections >= 1, f"the client never came to the server: {done.error}"
    assert (traffic.commands, traffic.refusals, traffic.in_clear) == (0, 0, False), f"{traffic}: {done.error}"
