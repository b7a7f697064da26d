"""``otel-callbacks stack``: Jaeger, Prometheus, Grafana and a collector on this machine, by Docker Compose."""

import argparse
import time
from typing import Final

from otel_callbacks._drawing import printable
from otel_callbacks.cli._compose import LOOPBACK, PROJECT, Compose, Port, is_taken
from otel_callbacks.cli._exit import FINDING, GOOD, Stop
from otel_callbacks.cli._shipped import copy_stack, stack_folder
from otel_callbacks.cli._terminal import show, show_json

NAME: Final = "stack"
HELP: Final = "Run Jaeger, Prometheus, Grafana and an OpenTelemetry collector on this machine (needs Docker)."

_ADDRESSES: Final = {
    "Grafana": ("grafana", 3000),
    "Jaeger": ("jaeger", 16686),
    "Prometheus": ("prometheus", 9090),
    "OTLP over HTTP": ("otel-collector", 4318),
    "OTLP over gRPC": ("otel-collector", 4317),
}
_SERVICES: Final = frozenset(service for service, _ in _ADDRESSES.values())
_COLLECTOR_HEALTH: Final = ("otel-collector", 13133)
_COLLECTOR_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("up", help="start it, wait until it is healthy, and print the addresses")
    actions.add_parser("down", help="stop it; traces and metrics are kept")
    status = actions.add_parser("status", help="print what is running; exit code 1 if something is not")
    status.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the action.

    Raises:
        Stop: Docker is missing, a port is taken, or the stack does not become healthy.
    """
    folder = stack_folder()
    compose = Compose(folder)
    compose.need_engine()
    # Only now: nothing is written where the stack cannot run.
    try:
        copy_stack(folder)
    except OSError as error:
        raise Stop(f"cannot write {error.filename or folder}: {error.strerror}") from error
    actions = {"up": _up, "down": _down, "status": _status}
    return actions[args.action](compose, args)


def _up(compose: Compose, _: argparse.Namespace) -> int:
    ports = compose.ports()
    if not compose.containers():  # else the stack itself may hold the ports
        _need_free(list(ports.values()))
    if not compose.run("up", "--detach", "--wait"):
        # The collector has no health check, so its log is always among them.
        compose.run("logs", "--tail", "8", *_unhealthy(compose))
        raise Stop(f"not everything became healthy; see: docker compose -p {PROJECT} logs", FINDING)
    # The collector's image holds no program that could check its health from inside.
    if not _is_healthy(ports[_COLLECTOR_HEALTH].published):
        raise Stop(f"the collector is not healthy; see: docker compose -p {PROJECT} logs otel-collector", FINDING)
    show(_as_text(ports))
    return GOOD


def _down(compose: Compose, _: argparse.Namespace) -> int:
    if not compose.run("down"):
        return FINDING
    print(f"Traces and metrics are kept; to delete them: docker compose -p {PROJECT} down --volumes")
    return GOOD


def _status(compose: Compose, args: argparse.Namespace) -> int:
    # `Health` is empty for a container without a health check, as the collector's is.
    states = {container["Service"]: container.get("Health") or container["State"] for container in compose.containers()}
    good = all(states.get(service) in {"healthy", "running"} for service in _SERVICES)
    if args.json:
        addresses = {name: _url(compose.ports()[key]) for name, key in _ADDRESSES.items()}
        show_json({"services": states, "addresses": addresses})
    elif states:
        print("\n".join(f"{printable(service):16} {printable(state)}" for service, state in sorted(states.items())))
        show(_as_text(compose.ports()))
    else:
        print("nothing is running; start it with: otel-callbacks stack up")
    return GOOD if good else FINDING


def _unhealthy(compose: Compose) -> list[str]:
    return [
        container["Service"]
        for container in compose.containers()
        if container["Service"] in _SERVICES and container.get("Health") != "healthy"
    ]


def _need_free(ports: list[Port]) -> None:
    for port in ports:
        if is_taken(port.published):
            raise Stop(
                f"port {port.published} is taken: stop what listens there, or choose another: "
                f"{port.variable}={port.published + 1} otel-callbacks stack up",
                FINDING,
            )


def _is_healthy(port: int) -> bool:
    from urllib.request import urlopen  # slow to load, and every command loads this module

    end = time.monotonic() + _COLLECTOR_TIMEOUT_S
    while time.monotonic() < end:
        try:
            # Not localhost: it may resolve to ::1, where no port is published.
            with urlopen(f"http://{LOOPBACK}:{port}", timeout=2):
                return True
        # Includes HTTP errors: the collector answers 503 until its pipelines run.
        except OSError:
            time.sleep(_POLL_S)
    return False


def _url(port: Port) -> str:
    return f"http://localhost:{port.published}"


def _as_text(ports: dict[tuple[str, int], Port]) -> str:
    otlp = _url(ports[_ADDRESSES["OTLP over HTTP"]])
    return "\n".join(
        [
            "",
            *(f"{name:16} {_url(ports[key])}" for name, key in _ADDRESSES.items()),
            "",
            f"Fill it:         otel-callbacks demo --otlp {otlp}",
            f"Your app:        OTEL_EXPORTER_OTLP_ENDPOINT={otlp}",
            f"Settings:        {stack_folder() / '.env.example'} lists them; put yours in .env beside it",
        ]
    )
