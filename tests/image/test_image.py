"""The image: really built with a local base, looked into, and started between a real API server and the simulator."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.controlplane import ControlPlane
from sandbox.images import Builder, BuiltImage, ImageError, contained
from sandbox.processes import Child
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.controlplane import install_crds
from tests.integration.operator.conftest import leads
from tests.integration.operator.support import Case
from tests.kube import Kube

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LABELS = {"VERSION": "1.2.3", "REVISION": "0123abc", "SOURCE": "https://git.example.com/secure-redis-operator"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltImage]:
    try:
        builder = Builder(tmp_path_factory.mktemp("images") / "buildah")
    except ImageError as error:
        pytest.skip(str(error))
    try:
        yield builder.build(**LABELS)
    finally:
        builder.remove()


def test_the_image_has_its_user_and_its_labels(image: BuiltImage) -> None:
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == ["python3", "-m", "secure_redis"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in image.config["Labels"].items()}
    assert labels["version"] == LABELS["VERSION"]
    assert labels["revision"] == LABELS["REVISION"]
    assert labels["source"] == LABELS["SOURCE"]
    assert labels["licenses"] == "Apache-2.0"


def test_what_is_in_it(image: BuiltImage) -> None:
    own = image.root / "app" / "secure_redis"
    assert (own / "cli" / "main.py").exists()
    modules = [path for part in ("app", "packages") for path in (image.root / part).rglob("*.py")]
    compiled = {path.parent.parent / f"{path.name.split('.')[0]}.py" for path in image.root.rglob("*.pyc")}
    assert not [path for path in modules if path not in compiled and path.stem.isidentifier()]
    # Bytecode by the hash of its source, which no time of a file makes stale (PEP 552: flags 0b01, unchecked).
    headers = [path.read_bytes()[4:8] for part in ("app", "packages") for path in (image.root / part).rglob("*.pyc")]
    assert set(headers) == {(1).to_bytes(4, "little")}
    # Neither the tests' tools nor the ones that installed it.
    installed = {path.name.lower() for path in (image.root / "packages").iterdir()}
    assert not installed & {"pytest", "pip", "hypothesis", "lupa", "setuptools"}
    assert not [path for path in (image.root / "app").rglob("*") if "tests" in path.parts]


def test_it_needs_no_shell(image: BuiltImage) -> None:
    """The base that it was built on here has none, so everything that follows ran without."""
    assert not [name for name in ("sh", "bash", "dash", "busybox") if (image.root / "bin" / name).exists()]
    argv, environment = contained(image, ["--help"], {})
    done = subprocess.run(
        argv, env={**environment, "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "run" in done.stdout


def test_it_works_under_the_charts_rights(
    image: BuiltImage, tmp_path_factory: pytest.TempPathFactory, hosts: Path
) -> None:
    with ControlPlane(tmp_path_factory.mktemp("image-plane")) as plane:
        install_crds(Kube(plane.cluster.kubeconfig))
        world = World(tmp_path_factory.mktemp("image-world"), plane.cluster, hosts=hosts)
        world.start()
        try:
            _start(world, image, tmp_path_factory.mktemp("image-files"))
            wait_for(lambda: leads(world), PATIENCE, "the image to lead")
            Case(world, world.team()).published()
            assert world.operator is not None
            user = Path(f"/proc/{world.operator.pid}/status").read_text()
            assert "\nUid:\t65532\t65532\t65532\t65532\n" in user
            assert "\nCapEff:\t0000000000000000\n" in user
            assert "\nNoNewPrivs:\t1\n" in user
        finally:
            world.stop()


def _start(world: World, image: BuiltImage, files: Path) -> None:
    """The operator of `world` from the image; its files are copied to where its user may read them."""
    files.chmod(0o755)
    configuration = world.configuration()
    shutil.copyfile(configuration["caBundle"], files / "ca.crt")
    configuration["caBundle"] = "/etc/secure-redis/ca.crt"
    (files / "config.yaml").write_text(yaml.safe_dump(configuration))
    kubeconfig = world.cluster.service_account_kubeconfig(RELEASE_NAMESPACE, OPERATOR)
    shutil.copyfile(kubeconfig, files / "kubeconfig")
    for file in files.iterdir():
        file.chmod(0o644)
    arguments = ["run", "--config", "/etc/secure-redis/config.yaml", "--kubeconfig", "/etc/secure-redis/kubeconfig"]
    mounts = {files: "/etc/secure-redis", world.control.endpoints.hosts_file: "/etc/hosts"}
    argv, environment = contained(image, arguments, mounts)
    environment = {**environment, "PATH": os.environ["PATH"]}
    world.operator = Child(argv, world.operator_log, name="operator", env=environment)
