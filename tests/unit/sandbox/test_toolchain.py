"""How the sandbox's programs are found and built. The compiler is a stand-in on PATH; all else is the real thing."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.toolchain import DEFAULT_VERSION, FLOOR_VERSION, TOOLS, control_plane_binary, module_version

ROOT = Path(__file__).parents[3]
BUILD_ETCD = "from sandbox.toolchain import ETCD, build; print(build(ETCD))"

# Answers `go env GOVERSION`; a build notes itself and takes long enough for the other process to want the same.
COMPILER = """\
#!/bin/sh
if [ "$1" = env ]; then echo {version}; exit; fi
echo "$PWD $*" >> {log}
{build}
"""
ANY_BUILD = 'while [ "$1" != -o ]; do shift; done; echo built > "$2"'
BUILDS = """\
while [ "$1" != -o ]; do shift; done
until [ "$(grep -c . {started})" = 2 ]; do sleep 0.01; done
echo built > "$2"
"""


def compiler(directory: Path, build: str, version: str = "go1.26.9") -> Path:
    log = directory / "builds.log"
    directory.joinpath("bin").mkdir()
    program = directory / "bin" / "go"
    program.write_text(COMPILER.format(version=version, log=log, build=build))
    program.chmod(0o755)
    return log


def builder(directory: Path, code: str = BUILD_ETCD) -> "subprocess.Popen[str]":
    env = {
        **os.environ,
        "PATH": f"{directory / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SECURE_REDIS_CACHE": str(directory / "cache"),
    }
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_two_processes_build_a_tool_once(tmp_path: Path) -> None:
    started = tmp_path / "started"
    log = compiler(tmp_path, BUILDS.format(started=started))
    code = f"print('up', file=open({str(started)!r}, 'a')); {BUILD_ETCD}"
    both = [builder(tmp_path, code), builder(tmp_path, code)]
    paths = set()
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        paths.add(out)
    (path,) = paths
    assert Path(path.strip()).read_text() == "built\n"
    (line,) = log.read_text().splitlines()
    assert line.startswith(str(TOOLS / "etcd"))
    assert "-mod=readonly" in line


def test_a_failed_build_reports_the_compilers_message_and_leaves_no_file(tmp_path: Path) -> None:
    compiler(tmp_path, "echo 'undefined: everything' >&2; exit 2")
    process = builder(tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "undefined: everything" in err
    homes = list((tmp_path / "cache").glob("etcd-*"))
    assert len(homes) == 1
    assert list(homes[0].iterdir()) == []


def test_the_next_build_removes_the_files_of_a_killed_one(tmp_path: Path) -> None:
    compiler(tmp_path, ANY_BUILD)
    first = builder(tmp_path)
    out, _ = first.communicate(timeout=60)
    binary = Path(out.strip())
    binary.unlink()
    binary.parent.joinpath(".build-killed").mkdir()
    binary.parent.joinpath(".build-killed", "etcd").write_text("half")
    builder(tmp_path).communicate(timeout=60)
    assert [path.name for path in binary.parent.iterdir()] == ["etcd"]


def programs(directory: Path, **versions: str) -> None:
    """Programs that only know their versions."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, answer in versions.items():
        program = directory / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\necho '{answer}'\n")
        program.chmod(0o755)


@pytest.mark.parametrize(("said", "taken"), [(DEFAULT_VERSION, True), ("1.36.0", True), ("1.35.4", False)])
def test_envtest_binaries_are_taken_for_the_pinned_minor_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, taken: bool
) -> None:
    log = compiler(tmp_path, ANY_BUILD)
    programs(tmp_path / "assets", kube_apiserver=f"Kubernetes v{said}", etcd="etcd Version: 3.6.4")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    process = builder(tmp_path, "from sandbox.toolchain import *; print(control_plane_binary('kube-apiserver'))")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert (Path(out.strip()).parent == tmp_path / "assets") is taken
    assert log.exists() is not taken
    assert ("not used" in err) is not taken


def test_what_setup_envtest_and_path_have_is_taken_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = compiler(tmp_path, ANY_BUILD)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    minor = DEFAULT_VERSION.rsplit(".", 1)[0]
    envtest = tmp_path / "data/kubebuilder-envtest/k8s"
    for patch in ("0", "9", "10"):
        release = envtest / f"{minor}.{patch}-linux-{machine}"
        programs(release, kube_apiserver=f"Kubernetes v{minor}.{patch}", etcd="etcd Version: 3.5.21")
    # On PATH, in the directory of the compiler: controllers that fit, a scheduler that does not, and an etcd.
    bin_directory = tmp_path / "bin"
    programs(
        bin_directory,
        etcd="etcd Version: 3.6.0",
        kube_controller_manager=f"Kubernetes v{minor}.1",
        kube_scheduler="Kubernetes v1.30.1",
    )
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    process = builder(tmp_path, "from sandbox.toolchain import *; print(*control_plane_binaries().values(), sep='\\n')")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    found = {Path(line).name: Path(line).parent for line in out.splitlines()}
    assert found["kube-apiserver"] == envtest / f"{minor}.10-linux-{machine}"
    assert found["etcd"] == found["kube-controller-manager"] == bin_directory
    assert found["kube-scheduler"].is_relative_to(tmp_path / "cache")
    (line,) = log.read_text().splitlines()
    assert line.endswith(" k8s.io/kubernetes/cmd/kube-scheduler")


def test_the_programs_of_kubernetes_are_built_by_one_command(tmp_path: Path) -> None:
    build = 'while [ "$1" != -o ]; do shift; done; for one in {names}; do echo built > "$2/$one"; done'
    names = "kube-apiserver kube-controller-manager kube-scheduler"
    log = compiler(tmp_path, f"case $* in *etcd*) {ANY_BUILD} ;; *) {build.format(names=names)} ;; esac")
    process = builder(tmp_path, "from sandbox.toolchain import *; print(*control_plane_binaries())")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.split() == ["etcd", *names.split()]
    etcd, kubernetes = log.read_text().splitlines()
    assert etcd.endswith("go.etcd.io/etcd/server/v3")
    assert kubernetes.endswith(" ".join(f"k8s.io/kubernetes/cmd/{name}" for name in names.split()))


# Fails once as a Go command does, then builds.
FAILS_ONCE = f"""if [ ! -e {{failed}} ]; then touch {{failed}}; echo '{{message}}' >&2; exit 1; fi
{ANY_BUILD}"""


def test_a_time_out_of_the_module_proxy_is_tried_again(tmp_path: Path) -> None:
    message = 'go: example.test/x@v1.0.0: Get "https://proxy.test/x": net/http: TLS handshake timeout'
    log = compiler(tmp_path, FAILS_ONCE.format(failed=tmp_path / "failed", message=message))
    process = builder(tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert Path(out.strip()).read_text() == "built\n"
    assert len(log.read_text().splitlines()) == 2
    assert "sandbox: the Go module proxy did not answer in time: attempt 2 of 3\n" in err


def test_a_proxy_that_never_answers_is_given_up_with_the_way_out(tmp_path: Path) -> None:
    log = compiler(tmp_path, "echo 'dial tcp 192.0.2.1:443: i/o timeout' >&2; exit 1")
    process = builder(tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert len(log.read_text().splitlines()) == 3
    assert "go env -w GOPROXY" in err


@pytest.mark.parametrize(
    ("message", "advised"),
    [
        ("reading https://proxy.test/x/@v/v1.0.0.zip: 403 Forbidden", True),
        ("dial tcp: lookup proxy.test: no such host", True),
        ("main.go:404:12: undefined: everything", False),
    ],
)
def test_a_refusal_is_final_and_names_the_way_out(tmp_path: Path, message: str, advised: bool) -> None:
    log = compiler(tmp_path, FAILS_ONCE.format(failed=tmp_path / "failed", message=message))
    process = builder(tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert len(log.read_text().splitlines()) == 1
    assert message in err
    assert ("go env -w GOPROXY" in err) is advised


@pytest.mark.parametrize("module", ["controlplane", "floor"])
def test_every_staging_module_is_replaced_by_the_release_of_its_version(module: str) -> None:
    version = module_version(module)
    text = (TOOLS / module / "go.mod").read_text()
    lines = [line.split() for line in text.splitlines() if "=>" in line]
    assert len(lines) >= 31
    for name, _, target, release in lines:
        assert (name, release) == (target, f"v0.{version.removeprefix('1.')}")


def test_the_floor_is_older_than_the_pinned_version() -> None:
    pinned, floor = (tuple(map(int, v.split("."))) for v in (DEFAULT_VERSION, FLOOR_VERSION))
    assert floor < pinned


def test_an_unknown_version_is_refused_with_what_there_is() -> None:
    with pytest.raises(RuntimeError, match=r"no control plane 1\.2\.3 here; pinned are .*1\.36"):
        control_plane_binary("etcd", "1.2.3")
