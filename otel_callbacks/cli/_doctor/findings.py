"""The results of checks."""

from typing import Literal, NamedTuple

from otel_callbacks._drawing import printable

Level = Literal["ok", "warning", "wrong"]
Topic = Literal[
    "Versions",
    "Telemetry is switched off",
    "No service name",
    "Sampling",
    "Another instrumentation of LangChain",
    "SDKs that trace themselves",
    "Options",
    "A signal is switched off",
    "The address is wrong",
    "Nothing listens",
    "The back end refuses",
    "Jaeger takes no metrics",
    "Clocks differ",
    "The test does not arrive",
    "Processes look alike",
    "Releases look alike",
    "Queue and batches",
    "Export timeout",
    "Sampling before the samplers",
]
"""The headings of the troubleshooting page."""


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        level: "ok", "warning" (works, but perhaps not as expected) or "wrong".
        topic: The heading in the troubleshooting page.
        text: What was found.
        fix: What to do about it; "" if there is nothing to do.
    """

    level: Level
    topic: Topic
    text: str
    fix: str = ""


def anchor(topic: str) -> str:
    """Return the link target of a heading."""
    return "".join(letter for letter in topic.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def as_line(finding: Finding, page: str) -> str:
    """Return one line, and two more if there is something to fix."""
    line = f"{finding.level:8} {printable(finding.text)}"
    if not finding.fix:
        return line
    return f"{line}\n{'':8} fix: {printable(finding.fix)}\n{'':8} see: {page}#{anchor(finding.topic)}"
