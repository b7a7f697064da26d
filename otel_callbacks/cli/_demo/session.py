"""One run of the demo: the programs with their trees, then the table, the files, and what to do next."""

import argparse
import itertools
import json
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from langchain_core.runnables import RunnableConfig
from langsmith import tracing_context

from otel_callbacks import Config, OTelCallbackHandler
from otel_callbacks.cli._demo.models import CHAT_MODEL, Models
from otel_callbacks.cli._demo.programs import PROGRAMS, Program
from otel_callbacks.cli._demo.report import OK, Report, as_json, as_text
from otel_callbacks.cli._demo.server import serve
from otel_callbacks.cli._demo.telemetry import (
    SERVICE,
    Batch,
    Destination,
    Telemetry,
    folder_destination,
    otlp_destination,
)
from otel_callbacks.cli._demo.truth import GroundTruth
from otel_callbacks.cli._exit import FINDING, GOOD, INTERRUPTED, Stop
from otel_callbacks.config import PRICE_PACKAGE
from otel_callbacks.console import ConsoleTree

_PROBE_TIMEOUT_S: Final = 2.0
_PORTS: Final = {"http": 80, "https": 443}


def run(args: argparse.Namespace) -> int:
    """Run the demo with the command's options and give its exit code.

    Raises:
        Stop: an option cannot be followed.
    """
    # Whatever tracing this machine is set up for, the demo's runs go nowhere but where its options say.
    with tracing_context(enabled=False), serve() as server, closing(Models(server, args.model)) as models:
        config = _config(args)
        destinations = _destinations(args)
        telemetry = Telemetry(None if args.json else ConsoleTree(sys.stdout))
        truth = GroundTruth()
        traffic = _Traffic(models, telemetry, truth, destinations)
        results = traffic.run(config, Pace(args.rate, args.duration), is_quiet=args.json)
        batch, refused = traffic.sent, traffic.refused
    folder = Path(next(iter(destinations)))
    done = Report(config.semconv, args.model or CHAT_MODEL, results, truth, batch, folder, refused, args.otlp)
    print(json.dumps(as_json(done), indent=2) if args.json else as_text(done))
    if len(results) < len(PROGRAMS):
        return INTERRUPTED
    return FINDING if done.problems else GOOD


def _config(args: argparse.Namespace) -> Config:
    given = {name: getattr(args, name) for name in ("semconv", "detail", "capture") if getattr(args, name)}
    return Config.from_env(cost=find_spec(PRICE_PACKAGE) is not None, **given)


def _destinations(args: argparse.Namespace) -> dict[str, Destination]:
    """Give where everything is sent to, by the name it is reported under; files first, as they cannot hang."""
    otlp = {args.otlp: _reachable(args.otlp)} if args.otlp else {}
    folder = _folder(args.out)
    return {str(folder): folder_destination(folder), **otlp}


def _folder(wanted: Path | None) -> Path:
    """Make the folder asked for, or a fresh one in the working directory."""
    stem = time.strftime(f"{SERVICE}-%Y%m%d-%H%M%S")
    fresh = (Path(stem if number == 1 else f"{stem}-{number}") for number in itertools.count(1))
    folder = wanted or next(path for path in fresh if not path.exists())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Stop(f"--out {folder}: {error.strerror}") from error
    return folder


def _reachable(url: str) -> Destination:
    """Give the OTLP destination if something listens there; the exporters would only find out much later."""
    host, port = _host_and_port(url)
    try:
        socket.create_connection((host, port), _PROBE_TIMEOUT_S).close()
    except OSError as error:
        raise Stop(f"--otlp {url}: nothing answers at port {port} ({error.strerror or error})", FINDING) from error
    return otlp_destination(url)


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        address = urlsplit(url)
        usual_port = _PORTS[address.scheme]
        host, port = address.hostname, address.port or usual_port
    except (ValueError, KeyError):
        host, port = None, 0
    if not host:
        raise Stop(f"--otlp {url}: must be an address such as http://localhost:4318")
    return host, port


class Pace(NamedTuple):
    """How often all programs run: `rate` times a second for `duration_s` seconds; once where that is 0."""

    rate: float
    duration_s: float

    def starts(self) -> Iterator[float]:
        """When each round starts, in seconds from the first."""
        rounds = max(1, round(self.rate * self.duration_s))
        return (number / self.rate for number in range(rounds))


class _Traffic:
    """The programs' traffic, and what became of it."""

    def __init__(
        self, models: Models, telemetry: Telemetry, truth: GroundTruth, destinations: Mapping[str, Destination]
    ) -> None:
        self._models = models
        self._telemetry = telemetry
        self._truth = truth
        self._destinations = destinations
        self.sent = Batch((), None, ())
        self.refused: dict[str, list[str]] = {}

    def run(self, config: Config, pace: Pace, *, is_quiet: bool) -> dict[str, str]:
        """Run the programs until all rounds are done or Ctrl-C is pressed.

        Returns:
            "ok", or the last error, by program that ended.
        """
        results: dict[str, str] = {}
        with OTelCallbackHandler(
            tracer_provider=self._telemetry.tracer_provider,
            meter_provider=self._telemetry.meter_provider,
            logger_provider=self._telemetry.logger_provider,
            config=config,
        ) as handler:
            started = time.monotonic()
            try:
                for start in pace.starts():
                    if start:
                        self._send()
                        time.sleep(max(0.0, started + start - time.monotonic()))
                    self._run_once(results, {"callbacks": [handler, self._truth]}, is_quiet=is_quiet)
            except KeyboardInterrupt:
                print("stopped", file=sys.stderr)
        self._send()
        for destination in self._destinations.values():
            destination.close()
        return results

    def _run_once(self, results: dict[str, str], config: RunnableConfig, *, is_quiet: bool) -> None:
        for program in PROGRAMS:
            if not is_quiet:
                print(f"\n{program.title}", flush=True)
            outcome = _outcome(program, self._models, config)
            if results.get(program.name, OK) == OK:
                results[program.name] = outcome

    def _send(self) -> None:
        batch = self._telemetry.take()
        for place, destination in self._destinations.items():
            missed = destination.send(batch)
            if missed:
                self.refused[place] = sorted({*self.refused.get(place, ()), *missed})
        self.sent = self.sent.followed_by(batch)


def _outcome(program: Program, models: Models, config: RunnableConfig) -> str:
    try:
        program.run(models, config)
    except Exception as error:  # noqa: BLE001 - a real model fails in its own ways
        reason = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {reason}"
    return OK
