"""``otel-callbacks doctor``: what is wrong with the set-up, each finding with its fix."""

import argparse
from typing import Final

from otel_callbacks._setup.addresses import problem
from otel_callbacks._setup.exporters import PROTOCOLS
from otel_callbacks.cli._exit import FINDING, GOOD, Stop
from otel_callbacks.cli._terminal import show_json

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
        trouble = problem(value) if value is not None else None
        if trouble:
            raise Stop(f"--{option}: {trouble}; an address is, for example, http://localhost:4318")
    from otel_callbacks.cli._doctor import environment, fleet, options, transport
    from otel_callbacks.cli._doctor.findings import as_line
    from otel_callbacks.cli._hiding import Secrets

    for_fleets = (fleet.findings,) if args.fleet else ()
    checks = (environment.findings, options.findings, *for_fleets, lambda: transport.findings(args))
    secrets, all_findings = Secrets(args.otlp, args.jaeger, args.prometheus), []
    with secrets.hidden_in_logs():
        for check in checks:
            # Printed one by one: a test may take up to --timeout to arrive.
            for found in check():
                finding = found._replace(text=secrets.hide(found.text), fix=secrets.hide(found.fix))
                all_findings.append(finding)
                if not args.json:
                    print(as_line(finding, _TROUBLESHOOTING), flush=True)
    if args.json:
        show_json({"findings": [finding._asdict() for finding in all_findings]})
    return FINDING if any(finding.level != "ok" for finding in all_findings) else GOOD
