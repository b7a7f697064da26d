"""Docker Compose as the stack command uses it: queries it, runs it, and explains what is missing."""

import json
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Final, NamedTuple

from otel_callbacks.cli._exit import FINDING, Stop

PROJECT: Final = "otel-callbacks"
LOOPBACK: Final = "127.0.0.1"

_NO_DOCKER: Final = (
    "Docker is not installed. Install it with its Compose plugin, or send OTLP to back ends you have: "
    "'otel-callbacks dashboards export DIR' gives you the boards for them"
)
_NO_COMPOSE: Final = "this Docker has no Compose plugin ('docker compose version' fails): install docker-compose-plugin"
_NO_ENGINE: Final = "the Docker engine does not answer: start Docker Desktop, or 'sudo systemctl start docker'"
_NO_RIGHT: Final = "you have no permission to use the Docker engine: add yourself to the group 'docker', or use sudo"


class Port(NamedTuple):
    """A published port: its service, its number inside and outside, and the variable that changes it."""

    service: str
    inside: int
    published: int
    variable: str


_VARIABLES: Final = {
    ("otel-collector", 4317): "OTLP_GRPC_PORT",
    ("otel-collector", 4318): "OTLP_HTTP_PORT",
    ("otel-collector", 13133): "OTELCOL_HEALTH_PORT",
    ("jaeger", 16686): "JAEGER_UI_PORT",
    ("prometheus", 9090): "PROMETHEUS_PORT",
    ("grafana", 3000): "GRAFANA_PORT",
}


class Compose:
    """The stack's compose project.

    Args:
        folder: Folder of its docker-compose.yml; an ``.env`` beside it is read.

    Raises:
        Stop: Docker or its Compose plugin is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("docker") is None:
            raise Stop(_NO_DOCKER, FINDING)
        self._command = ["docker", "compose", "--project-directory", str(folder)]
        # Needs the plugin but no engine, so that the two failures have messages of their own.
        if self._query("version").returncode:
            raise Stop(_NO_COMPOSE, FINDING)

    def need_engine(self) -> None:
        """Make sure that the engine can be used.

        Raises:
            Stop: It cannot; the message says why.
        """
        # Unlike `version` and `config`, it connects to the engine.
        process = self._query("ls")
        if process.returncode:
            # Docker exits with the same code in both cases; only its text differs.
            raise Stop(_NO_RIGHT if "permission denied" in process.stderr.lower() else _NO_ENGINE, FINDING)

    def ports(self) -> dict[tuple[str, int], Port]:
        """Return published ports by service and port inside, with all variables filled in.

        Raises:
            Stop: The settings are wrong; the message is Compose's own.
        """
        process = self._query("config", "--format", "json")
        if process.returncode:
            raise Stop(f"the settings are wrong: {process.stderr.strip()}")
        services = json.loads(process.stdout)["services"]
        ports = [
            # Compose prints the port inside as a number, and the published one as a string.
            Port(name, port["target"], int(port["published"]), _VARIABLES[name, port["target"]])
            for name, service in services.items()
            for port in service.get("ports", [])
        ]
        return {(port.service, port.inside): port for port in ports}

    def containers(self) -> list[dict[str, Any]]:
        """Return the project's containers as Compose lists them: releases print an array or lines."""
        # --all: containers that have exited are listed as well, with their state.
        output = self._query("ps", "--all", "--format", "json").stdout.strip()
        if output.startswith("["):
            return list(json.loads(output))
        return [json.loads(line) for line in output.splitlines()]

    def run(self, *arguments: str) -> bool:
        """Run a Compose command with its output shown. Return whether it succeeded."""
        return subprocess.run([*self._command, *arguments], check=False).returncode == 0  # noqa: S603

    def _query(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def is_taken(port: int) -> bool:
    """Tell whether something on this machine already listens on a port."""
    with socket.socket() as probe:
        # Without it a port that was released a moment ago still counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
