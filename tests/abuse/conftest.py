"""Attempts to abuse the operator. Each test is one attempt and passes if the attempt is refused or has no effect.

How to add attempts:

- Write `tests/abuse/test_<subject>.py`. Each test item counts as one attempt, so give a table of attempts to
  `pytest.mark.parametrize`, with an id that names the attempt.
- Name the row of the security review in the id or in the docstring (D08, G04), where there is one.
- A test of legitimate use, which shows that the attempts fail for the right reason, has the marker `legitimate`.
  It is not counted.
- An attempt that takes more than some seconds has the marker `slow`, as everywhere: `make test` leaves it out, and
  `make test-all` runs it.
- An attempt that succeeds by design is `listed`: it is in docs/security.md under "What is not stopped". Its test
  shows that it succeeds, and is not counted.

The end of a run prints `abuse: N of N refused`. `tests/conftest.py` counts, from the reports of all workers.

The fixtures here give the chart's roles and policies on the real API server:

- `admin`: an administrator.
- `stolen`: a client with a real token of the operator's ServiceAccount.
- `SHOP` is a namespace that consents, `PRIVATE` is one that does not.
- `hostile`: a server on loopback that speaks as Entra, Resource Manager and Key Vault (`hostile.py`), and `azure`, the
  operator's own clients that are connected to it.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from azure.keyvault.secrets._shared import http_challenge_cache

from sandbox.api import Api
from sandbox.chart.install import OPERATOR, install
from sandbox.chart.render import RELEASE_NAMESPACE, Document
from sandbox.cluster import ADMIN, Cluster
from tests.abuse.hostile import Azure, Hostile
from tests.integration.admission.conftest import make_accounts

SHOP = "abuse-shop"
PRIVATE = "abuse-private"
VALUES: Document = {"namespaces": [SHOP], "workloads": {"enabled": True}}
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test of this folder as an attempt, unless it shows a legitimate use or a listed limit."""
    for item in items:
        other = item.get_closest_marker("legitimate") or item.get_closest_marker("listed")
        if item.path.is_relative_to(_HERE) and not other:
            item.add_marker("attempt")


@pytest.fixture(scope="module")
def admin(crd_installed: None, control_plane: Cluster) -> Iterator[Api]:
    """An administrator at an API server with the chart's roles and policies, and with permissions on workloads."""
    api = Api(control_plane)
    install(api, VALUES)
    make_accounts(api, SHOP, PRIVATE)
    yield api
    # As other modules expect: without permissions on workloads, and the administrator may write a status.
    install(api, {"namespaces": [SHOP], "policies": {"statusWriters": [ADMIN]}})


@pytest.fixture(scope="module")
def stolen(admin: Api, control_plane: Cluster) -> Api:
    """A client that presents a real token of the operator's ServiceAccount, and nothing else."""
    return admin.bearer(control_plane.service_account_token(RELEASE_NAMESPACE, OPERATOR))


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def hostile(authority: trustme.CA) -> AsyncIterator[Hostile]:
    # A former server can have had the same port: the SDK keeps a vault's challenge by host and port in the process.
    http_challenge_cache.clear()
    server = await Hostile.start(authority)
    yield server
    await server.stop()


@pytest.fixture
async def azure(hostile: Hostile, authority: trustme.CA) -> AsyncIterator[Azure]:
    async with hostile.azure(authority) as clients:
        yield clients
