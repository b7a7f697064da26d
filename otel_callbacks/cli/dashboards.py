"""``otel-callbacks dashboards``: the Grafana boards and Prometheus rules, for your own stack."""

import argparse
import json
from pathlib import Path
from typing import Final

from otel_callbacks.cli._exit import GOOD, Stop
from otel_callbacks.cli._shipped import copy_boards

NAME: Final = "dashboards"
HELP: Final = "Write the Grafana boards and the Prometheus rules into a folder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write boards (*.json) and rules (rules/*.yml) into DIR")
    export.add_argument("folder", type=Path, metavar="DIR", help="created if missing; older files are replaced")
    export.add_argument("--json", action="store_true", help="print the paths as one JSON document")


def run(args: argparse.Namespace) -> int:
    """Write the files.

    Raises:
        Stop: The folder cannot be written.
    """
    try:
        paths = [str(path) for path in copy_boards(args.folder)]
    except OSError as error:
        raise Stop(f"cannot write {error.filename or args.folder}: {error.strerror}") from error
    print(json.dumps({"files": paths}) if args.json else _as_text(paths))
    return GOOD


def _as_text(paths: list[str]) -> str:
    return "\n".join(
        [
            *paths,
            "",
            "Grafana: import each .json, or mount the folder for file provisioning.",
            "Prometheus: list the rules in rule_files; it must take OTLP with its default name translation.",
        ]
    )
