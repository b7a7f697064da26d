"""A Docker engine to test on: the one that is there, or a private one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import native_build
from native_stack import wait_until

_START_S = 60.0


def run(*command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and keep its output."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def engine(folder: Path) -> Iterator[dict[str, str]]:
    """Provide environment variables for a Docker client that has Compose and whose engine answers.

    Raises:
        RuntimeError: There is no engine, and none may be started.
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
    """Return nothing if the client has Compose, else the variable for a configuration with a natively built one."""
    if run("docker", "compose", "version").returncode == 0:
        return {}
    plugins = folder / "docker-config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(native_build.build("compose")["docker-compose"])
    return {"DOCKER_CONFIG": str(plugins.parent)}


@contextmanager
def _private_engine(folder: Path) -> Iterator[str]:
    """Start an engine with its own data and socket that leaves the machine's firewall alone."""
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
