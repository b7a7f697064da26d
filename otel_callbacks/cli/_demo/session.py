"""One run of the demo: the programs with their trees, then the table, the files, and what to do next."""

import argparse
import itertools
import json
import socket
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Final
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
        results = _run_programs(models, telemetry, truth, config, is_quiet=args.json)
        batch = telemetry.take()
        refused = {place: missed for place, to in destinations.items() if (missed := to.send(batch))}
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


def _run_programs(
    models: Models, telemetry: Telemetry, truth: GroundTruth, config: Config, *, is_quiet: bool
) -> dict[str, str]:
    """Run the programs until all are done or Ctrl-C is pressed, and give "ok" or the error of those that ended."""
    results: dict[str, str] = {}
    with OTelCallbackHandler(
        tracer_provider=telemetry.tracer_provider,
        meter_provider=telemetry.meter_provider,
        logger_provider=telemetry.logger_provider,
        config=config,
    ) as handler:
        try:
            for program in PROGRAMS:
                if not is_quiet:
                    print(f"\n{program.title}", flush=True)
                results[program.name] = _outcome(program, models, {"callbacks": [handler, truth]})
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
    return results


def _outcome(program: Program, models: Models, config: RunnableConfig) -> str:
    try:
        program.run(models, config)
    except Exception as error:  # noqa: BLE001 - a real model fails in its own ways
        reason = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {reason}"
    return OK
