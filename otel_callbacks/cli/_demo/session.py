"""One run of the demo: the programs with their trees, then the table, the files, and what to do next."""

import argparse
import itertools
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from langchain_core.runnables import RunnableConfig
from langsmith import tracing_context

from otel_callbacks import Config, OTelCallbackHandler
from otel_callbacks._setup.addresses import problem, public
from otel_callbacks._setup.exporters import host_and_port
from otel_callbacks.cli._demo.models import CHAT_MODEL, Models
from otel_callbacks.cli._demo.programs import PROGRAMS, Program
from otel_callbacks.cli._demo.result import OK, DemoResult, as_json, as_text
from otel_callbacks.cli._demo.server import serve
from otel_callbacks.cli._demo.telemetry import (
    SERVICE,
    Batch,
    Exporters,
    InMemoryProviders,
    file_exporters,
    otlp_exporters,
)
from otel_callbacks.cli._demo.truth import GroundTruth
from otel_callbacks.cli._exit import FINDING, GOOD, INTERRUPTED, Stop
from otel_callbacks.cli._hiding import Secrets
from otel_callbacks.cli._terminal import show, show_json
from otel_callbacks.config import PRICE_PACKAGE
from otel_callbacks.console import ConsoleTree

_PROBE_TIMEOUT_S: Final = 2.0


def run(args: argparse.Namespace) -> int:
    """Run the demo with the command's options and return its exit code.

    Raises:
        Stop: An option is invalid, or nothing answers at the address.
    """
    # The demo's runs go only where its options say, whatever tracing this machine is set up for.
    with (
        tracing_context(enabled=False),
        Secrets(args.otlp).hidden_in_logs(),
        serve() as server,
        closing(Models(server, args.model)) as models,
    ):
        config = _config(args)
        destinations = _destinations(args)
        providers = InMemoryProviders(None if args.json else ConsoleTree(sys.stdout))
        truth = GroundTruth()
        traffic = _Traffic(models, providers, truth, destinations)
        results = traffic.run(config, Pace(args.rate, args.duration), is_quiet=args.json)
        batch, refused = traffic.sent, traffic.refused
    folder = Path(next(iter(destinations)))  # the first destination is always the folder
    otlp = public(args.otlp) if args.otlp else None
    result = DemoResult(config.semconv, args.model or CHAT_MODEL, results, truth, batch, folder, refused, otlp)
    if args.json:
        show_json(as_json(result))
    else:
        show(as_text(result))
    # Ctrl-C in the first round; later it only ends the rounds.
    if len(results) < len(PROGRAMS):
        return INTERRUPTED
    return FINDING if result.problems else GOOD


def _config(args: argparse.Namespace) -> Config:
    options = {name: getattr(args, name) for name in ("semconv", "detail", "capture") if getattr(args, name)}
    return Config.from_env(cost=find_spec(PRICE_PACKAGE) is not None, **options)


def _destinations(args: argparse.Namespace) -> dict[str, Exporters]:
    """Return the exporters by the name of their destination; files first, because they cannot hang."""
    otlp = {public(args.otlp): _reachable(args.otlp)} if args.otlp else {}
    folder = _folder(args.out)
    return {str(folder): file_exporters(folder), **otlp}


def _folder(out: Path | None) -> Path:
    """Create the folder of ``--out``, or a new one in the working directory."""
    stem = time.strftime(f"{SERVICE}-%Y%m%d-%H%M%S")
    paths = (Path(stem if number == 1 else f"{stem}-{number}") for number in itertools.count(1))
    folder = out or next(path for path in paths if not path.exists())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Stop(f"--out {folder}: {error.strerror}") from error
    return folder


def _reachable(url: str) -> Exporters:
    """Return exporters to an address where something listens; the exporters would notice only much later."""
    trouble = problem(url)
    if trouble:
        raise Stop(f"--otlp {public(url)}: must be an address such as http://localhost:4318: {trouble}")
    host, port = host_and_port(url)
    try:
        socket.create_connection((host, port), _PROBE_TIMEOUT_S).close()
    except OSError as error:
        reason = f"nothing answers at port {port} ({error.strerror or error})"
        raise Stop(f"--otlp {public(url)}: {reason}", FINDING) from error
    return otlp_exporters(url)


class Pace(NamedTuple):
    """How often all programs run: `rate` times a second for `duration_s` seconds; once where that is 0."""

    rate: float
    duration_s: float

    def starts(self) -> Iterator[float]:
        """Return when each round starts, in seconds from the first."""
        rounds = max(1, round(self.rate * self.duration_s))
        return (number / self.rate for number in range(rounds))


class _Traffic:
    """Runs the programs and sends their telemetry.

    Attributes:
        sent: All telemetry so far.
        refused: Signals that a destination refused, by its name.
    """

    def __init__(
        self, models: Models, providers: InMemoryProviders, truth: GroundTruth, destinations: Mapping[str, Exporters]
    ) -> None:
        self._models = models
        self._providers = providers
        self._truth = truth
        self._destinations = destinations
        self.sent = Batch((), None, ())
        self.refused: dict[str, list[str]] = {}

    def run(self, config: Config, pace: Pace, *, is_quiet: bool) -> dict[str, str]:
        """Run the programs until all rounds are done or Ctrl-C is pressed.

        Returns:
            "ok", or the first error, by program that ended.
        """
        results: dict[str, str] = {}
        with OTelCallbackHandler(
            tracer_provider=self._providers.tracer_provider,
            meter_provider=self._providers.meter_provider,
            logger_provider=self._providers.logger_provider,
            config=config,
        ) as handler:
            started = time.monotonic()
            try:
                for start in pace.starts():
                    if start:
                        # Before each later round, so that a long demo is visible while it runs.
                        self._send()
                        time.sleep(max(0.0, started + start - time.monotonic()))
                    self._run_once(results, {"callbacks": [handler, self._truth]}, is_quiet=is_quiet)
            except KeyboardInterrupt:
                print("stopped", file=sys.stderr)
        # Only now: closing the handler ended the spans that Ctrl-C left open.
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
        batch = self._providers.collect()
        for place, destination in self._destinations.items():
            refused = destination.send(batch)
            if refused:
                self.refused[place] = sorted({*self.refused.get(place, ()), *refused})
        self.sent = self.sent.followed_by(batch)


def _outcome(program: Program, models: Models, config: RunnableConfig) -> str:
    try:
        program.run(models, config)
    except Exception as error:  # noqa: BLE001 - a real model fails in its own ways
        reason = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {reason}"
    return OK
