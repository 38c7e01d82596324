"""The fixtures of the tests of the probes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from tests.unit.probe.net import Net


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Net]:
    roots = trustme.CA()
    path = tmp_path / "ca.pem"
    roots.cert_pem.write_to_path(str(path))
    made = Net(roots, str(path))
    yield made
    await made.close()
