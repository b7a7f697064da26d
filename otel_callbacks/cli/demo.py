"""``otel-callbacks demo``: real LangChain programs against a model server on loopback, traced, shown and exported."""

import argparse
from pathlib import Path
from typing import Final, get_args

from otel_callbacks.cli._durations import seconds_of
from otel_callbacks.cli._exit import Stop
from otel_callbacks.config import Capture, Detail, Semconv, sdk_disabled

NAME: Final = "demo"
HELP: Final = "Run example programs against a model server on this machine, and show their traces and metrics."

_MOST_ROUNDS: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the OTLP files (default: a new one here)")
    parser.add_argument("--otlp", metavar="URL", help="also send by OTLP/HTTP, such as http://localhost:4318")
    parser.add_argument("--model", metavar="PROVIDER:NAME", help="chat with a real model; its key is read as usual")
    parser.add_argument("--semconv", choices=get_args(Semconv), help="release of the GenAI conventions")
    parser.add_argument("--detail", choices=get_args(Detail), help="which runs get a span")
    parser.add_argument("--capture", choices=get_args(Capture), help="where prompts and answers go (default: nowhere)")
    parser.add_argument(
        "--for",
        type=_seconds,
        default=0.0,
        # `args.for` would not parse: `for` is a keyword.
        dest="duration",
        metavar="TIME",
        help="keep running, such as for 60s or 5m",
    )
    parser.add_argument(
        "--rate", type=_rate, default=0.5, metavar="N", help="rounds per second with --for (default: 0.5)"
    )
    parser.add_argument("--json", action="store_true", help="print only one JSON document: what was done and sent")


def _seconds(text: str) -> float:
    seconds = seconds_of(text, "s", "m")
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 60s or 5m")
    return seconds


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    # Not `rate <= 0 or ...`: that would let nan pass.
    if not 0 < rate <= _MOST_ROUNDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds above 0 and up to {_MOST_ROUNDS}")
    return rate


def run(args: argparse.Namespace) -> int:
    """Run the demo.

    Raises:
        Stop: An option is invalid, or the extra ``demo`` is not installed.
    """
    if sdk_disabled():
        raise Stop("OTEL_SDK_DISABLED is set, so there is nothing to show: unset it for the demo")
    try:
        from otel_callbacks.cli._demo import session
    except ImportError as missing:
        raise Stop(f"otel-callbacks demo needs: pip install 'otel-callbacks[demo]' ({missing})") from missing
    if not args.json:
        print("Real LangChain programs against a model server on this machine, each with its trace", flush=True)
    return session.run(args)
