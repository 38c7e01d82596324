"""Crashes and outages happen in a world of their own: no other test's operator may see these resources."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.controlplane import ControlPlane
from sandbox.gate import Gate
from sandbox.world import World
from tests.controlplane import install_crds
from tests.kube import Kube


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of this module's own, so that it may be frozen."""
    with ControlPlane(tmp_path_factory.mktemp("faults-plane"), scheduler=False) as running:
        yield running
        running.check()


@pytest.fixture(scope="module")
def world(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """A world without an operator: each test starts its own, and ends it."""
    install_crds(Kube(plane.cluster.kubeconfig))
    made = World(tmp_path_factory.mktemp("faults"), plane.cluster, hosts=hosts, domain=f"faults-{domain}")
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def gate(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """The gate before this module's API server."""
    with Gate(plane.cluster, tmp_path_factory.mktemp("gate")) as running:
        yield running
