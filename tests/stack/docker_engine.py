"""A Docker engine to test on, the one that is there or a private one, and images, published or stand-ins."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import native_build
from native_stack import wait_until

_START_S = 60.0
_BUSYBOX = "/bin/busybox"
_APPLETS = ("sh", "wget", "chown", "httpd")


class StandIn(NamedTuple):
    """An image made of one native binary, with the paths, user and entry point of the published one."""

    variable: str
    files: dict[str, str]
    """Path in the image -> path here."""
    changes: tuple[str, ...]
    has_shell: bool = True


def run(*command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end and keeps its output."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def engine(folder: Path) -> Iterator[dict[str, str]]:
    """Environment variables for a Docker client whose engine answers and which has Compose.

    Raises:
        RuntimeError: there is no engine and none may be started.
    """
    environment = {**os.environ, **_with_compose(folder)}
    if run("docker", "info", environment=environment).returncode == 0:
        yield environment
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise RuntimeError("no Docker engine answers, and only root can start one for the test (with dockerd)")
    with _private_engine(folder) as address:
        yield {**environment, "DOCKER_HOST": address}


def _with_compose(folder: Path) -> dict[str, str]:
    """Nothing if the client has Compose; else the variable for a client configuration with one built natively."""
    if run("docker", "compose", "version").returncode == 0:
        return {}
    plugins = folder / "docker-config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(native_build.build("compose")["docker-compose"])
    return {"DOCKER_CONFIG": str(plugins.parent)}


@contextmanager
def _private_engine(folder: Path) -> Iterator[str]:
    """An engine with its own data, socket and no hand on the machine's firewall."""
    # A socket's path has at most 107 bytes; test folders are longer.
    with tempfile.TemporaryDirectory(prefix="engine-") as short, (folder / "dockerd.log").open("wb") as log:
        address = f"unix://{short}/docker.sock"
        command = ["dockerd", "--iptables=false", "--ip6tables=false", f"--data-root={folder / 'docker-data'}"]
        command += [f"--exec-root={short}/exec", f"--pidfile={short}/dockerd.pid", f"--host={address}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            if not wait_until(lambda: run("docker", "--host", address, "info").returncode == 0, _START_S):
                raise RuntimeError("dockerd did not start: " + (folder / "dockerd.log").read_text()[-2000:])
            yield address
        finally:
            process.terminate()
            process.wait(_START_S)


def images(environment: Mapping[str, str], published: Mapping[str, str]) -> dict[str, str]:
    """Nothing if the published images can be had; else variables that name stand-ins, which are made.

    Args:
        environment: Of the Docker client.
        published: Image by variable, as the compose file names them.
    """
    if all(_can_be_had(image, environment) for image in published.values()):
        return {}
    return {one.variable: _make(one, environment) for one in _stand_ins()}


def _can_be_had(image: str, environment: Mapping[str, str]) -> bool:
    here = run("docker", "image", "inspect", image, environment=environment)
    return here.returncode == 0 or run("docker", "pull", image, environment=environment).returncode == 0


def _stand_ins() -> list[StandIn]:
    prometheus, jaeger, collector = (native_build.build(name) for name in ("prometheus", "jaeger", "collector"))
    return [
        StandIn(
            "PROMETHEUS_IMAGE",
            {"bin/prometheus": str(prometheus["prometheus"]), "bin/promtool": str(prometheus["promtool"])},
            ('ENTRYPOINT ["/bin/prometheus"]', "USER nobody"),
        ),
        StandIn(
            "JAEGER_IMAGE",
            {"cmd/jaeger/jaeger-linux": str(jaeger["jaeger"])},
            ('ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]', "USER 10001"),
        ),
        StandIn(
            "OTELCOL_IMAGE",
            {"otelcol-contrib": str(collector["otelcol"])},
            ('ENTRYPOINT ["/otelcol-contrib"]', "USER 10001"),
            has_shell=False,
        ),
        # Grafana cannot be built here: something that answers its health check, so that the rest can be tried.
        StandIn("GRAFANA_IMAGE", {}, ('ENTRYPOINT ["/bin/httpd", "-f", "-p", "3000", "-h", "/www"]', "USER 472")),
    ]


def _make(one: StandIn, environment: Mapping[str, str]) -> str:
    name = f"otel-callbacks-stand-in/{one.variable.lower().removesuffix('_image')}:test"
    changes = [part for change in one.changes for part in ("--change", change)]
    with tempfile.TemporaryDirectory() as folder:
        root, archive = Path(folder) / "root", Path(folder) / "root.tar"
        _fill(root, one)
        with tarfile.open(archive, "w") as tar:
            tar.add(root, ".", filter=lambda entry: entry.replace(uid=0, gid=0, uname="", gname="", deep=False))
        command = ["docker", "import", *changes, str(archive), name]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return name


def _fill(root: Path, one: StandIn) -> None:
    for folder in ("bin", "etc", "tmp", "www/api"):
        (root / folder).mkdir(parents=True)
    (root / "www/api/health").write_text("stand-in\n")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    if one.has_shell:
        if not Path(_BUSYBOX).exists():
            raise RuntimeError("stand-in images need a statically linked busybox (package busybox-static)")
        shutil.copy(_BUSYBOX, root / "bin/busybox")
        for applet in _APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
    for inside, here in one.files.items():
        (root / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(here, root / inside)
    root.chmod(0o755)
