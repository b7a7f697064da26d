"""Images for the compose files: the published ones, or stand-ins made from the programs that can be built here."""

import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import native_build
from docker_engine import run

_BUSYBOX = "/bin/busybox"
_APPLETS = ("sh", "wget", "chown", "httpd")
_USERS = {"root": 0, "nobody": 65534, "appuser": 1000, "cassandra": 999}


class StandIn(NamedTuple):
    """An image of native programs, with the paths, users and entry point of the published one."""

    variable: str
    files: Mapping[str, Path]
    """Path in the image -> file or folder here."""
    changes: tuple[str, ...]
    texts: Mapping[str, str] = {}
    """Path in the image -> what is in that file; all of them can be run."""
    has_shell: bool = True


def published(*files: Path) -> dict[str, str]:
    """Return the images of compose files by variable."""
    return {
        name: image for file in files for name, image in re.findall(r"\$\{([A-Z]+_IMAGE):-([^}]+)\}", file.read_text())
    }


def images(
    environment: Mapping[str, str], published: Mapping[str, str], stand_ins: Callable[[], list[StandIn]]
) -> dict[str, str]:
    """Return nothing if the published images are available; else make stand-ins, and return variables that name them.

    Args:
        environment: Of the Docker client.
        published: Image by variable.
        stand_ins: Returns those for the same variables, after building their programs.
    """
    if all(_is_available(image, environment) for image in published.values()):
        return {}
    return {one.variable: _make(one, environment) for one in stand_ins()}


def _is_available(image: str, environment: Mapping[str, str]) -> bool:
    here = run("docker", "image", "inspect", image, environment=environment)
    return here.returncode == 0 or run("docker", "pull", image, environment=environment).returncode == 0


def one_machine(collector: str = "collector") -> list[StandIn]:
    """Return the stand-ins for docker-compose.yml. `collector`: which of the native ones to take."""
    prometheus, jaeger = native_build.build("prometheus"), native_build.build("jaeger")
    return [
        StandIn(
            "PROMETHEUS_IMAGE",
            {f"bin/{name}": path for name, path in prometheus.items()},
            ('ENTRYPOINT ["/bin/prometheus"]', "USER nobody"),
        ),
        StandIn(
            "JAEGER_IMAGE",
            {"cmd/jaeger/jaeger-linux": jaeger["jaeger"]},
            ('ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]', "USER 10001"),
        ),
        StandIn(
            "OTELCOL_IMAGE",
            {"otelcol-contrib": native_build.build(collector)["otelcol"]},
            ('ENTRYPOINT ["/otelcol-contrib"]', "USER 10001"),
            has_shell=False,
        ),
        # Grafana cannot be built here. This answers its health check, so that the rest can be tried.
        StandIn(
            "GRAFANA_IMAGE",
            {},
            ('ENTRYPOINT ["/bin/httpd", "-f", "-p", "3000", "-h", "/www"]', "USER 472"),
            {"www/api/health": "stand-in\n"},
        ),
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
    for folder in ("bin", "etc", "tmp"):
        (root / folder).mkdir(parents=True)
    # A tmpfs that is mounted there takes over the mode of the folder.
    (root / "tmp").chmod(0o1777)
    passwd = (f"{name}:x:{number}:{number}::/:/bin/sh\n" for name, number in _USERS.items())
    (root / "etc/passwd").write_text("".join(passwd))
    if one.has_shell:
        if not Path(_BUSYBOX).exists():
            raise RuntimeError("stand-in images need a statically linked busybox (package busybox-static)")
        shutil.copy(_BUSYBOX, root / "bin/busybox")
        for applet in _APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
    for inside, here in one.files.items():
        _copy(here, root / inside)
    for inside, text in one.texts.items():
        (root / inside).parent.mkdir(parents=True, exist_ok=True)
        (root / inside).write_text(text)
        (root / inside).chmod(0o755)
    root.chmod(0o755)


def _copy(here: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    if here.is_dir():
        shutil.copytree(here, there, ignore_dangling_symlinks=True)
    else:
        shutil.copy(here, there)
