"""``otel-callbacks doctor``: what is wrong with the set-up, each finding with its fix."""

import argparse
import json
from typing import Final

from otel_callbacks._setup.exporters import PROTOCOLS
from otel_callbacks.cli._exit import FINDING, GOOD, Stop

NAME: Final = "doctor"
HELP: Final = "Check the set-up of this environment, send a test span and metric, and say how to fix what is wrong."

_TROUBLESHOOTING: Final = "docs/troubleshooting.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--otlp", metavar="URL", help="where telemetry goes (default: as the OTEL_* variables say)")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="how OTLP is sent (default: as the variables say)")
    parser.add_argument("--jaeger", metavar="URL", help="wait until the test span can be found in Jaeger here")
    parser.add_argument(
        "--prometheus", metavar="URL", help="wait until the test metric can be queried in Prometheus here"
    )
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="longest wait (default: 30)")
    parser.add_argument(
        "--fleet", action="store_true", help="also check what matters when many processes send to tail samplers"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the checks, and print a finding for each.

    Raises:
        Stop: An option is not an address.
    """
    for option in ("otlp", "jaeger", "prometheus"):
        value = getattr(args, option)
        if value is not None and "://" not in value:
            raise Stop(f"--{option} {value}: must be an address such as http://localhost:4318")
    from otel_callbacks.cli._doctor import environment, fleet, options, transport
    from otel_callbacks.cli._doctor.findings import as_line

    for_fleets = (fleet.findings,) if args.fleet else ()
    checks = (environment.findings, options.findings, *for_fleets, lambda: transport.findings(args))
    all_findings = []
    for check in checks:
        # Printed one by one: a test may take up to --timeout to arrive.
        for finding in check():
            all_findings.append(finding)
            if not args.json:
                print(as_line(finding, _TROUBLESHOOTING), flush=True)
    if args.json:
        print(json.dumps({"findings": [finding._asdict() for finding in all_findings]}, indent=2))
    return FINDING if any(finding.level != "ok" for finding in all_findings) else GOOD
