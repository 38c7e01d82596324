"""The simulator as a process: it says why it cannot start, ends when asked, and leaves no address behind."""

import os
import stat
from pathlib import Path

import pytest

from sandbox.azure.control.client import Control
from sandbox.azure.control.port import ControlError
from sandbox.azure.seeds import seeds
from sandbox.azure.simulator import AzureSimulator
from sandbox.processes import ProcessError
from tests.contract.conftest import SUBSCRIPTION, TENANT, VAULT, cache_seed


def test_a_taken_port_is_named(simulator: AzureSimulator, tmp_path: Path) -> None:
    other = AzureSimulator(tmp_path, port=simulator.endpoints.port)
    with pytest.raises(ProcessError, match=r"the Azure simulator cannot run: .*address already in use"):
        other.start()


def test_it_ends_with_its_block_and_takes_its_address_with_it(tmp_path: Path) -> None:
    with AzureSimulator(tmp_path) as simulator:
        pid = simulator.endpoints.pid
        ready = tmp_path / "azure.json"
        assert stat.S_IMODE(ready.stat().st_mode) == 0o600
        assert Control.of(tmp_path).clock.now() > 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ControlError, match="no Azure simulator runs"):
        Control.of(tmp_path)
    assert simulator.log.read_text() == ""


def test_a_world_can_be_emptied(control: Control) -> None:
    control.seed(cache_seed())
    control.keyvault.set_secret(VAULT, "key", "value")
    control.clock.advance(3600)
    control.reset()
    assert control.redis.get("orders") is None
    assert control.log.requests() == []
    with pytest.raises(ControlError, match="there is no vault"):
        control.keyvault.secret_versions(VAULT, "key")
    with pytest.raises(ControlError, match="seed the subscription"):
        control.seed(cache_seed())
    control.seed(seeds.Tenant(id=TENANT), seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT), cache_seed())
    assert control.redis.get("orders") is not None
