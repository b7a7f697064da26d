"""What a check says."""

from typing import Literal, NamedTuple

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
    """One thing that was looked at.

    Attributes:
        level: "ok", "warning" (works, but not as one might think) or "wrong".
        topic: the heading in the troubleshooting page.
        text: what was found.
        fix: what to do; "" where nothing is to be done.
    """

    level: Level
    topic: Topic
    text: str
    fix: str = ""


def anchor(topic: str) -> str:
    """The link target of a heading."""
    return "".join(letter for letter in topic.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def as_line(finding: Finding, page: str) -> str:
    """One line; where something is to be done, two more."""
    line = f"{finding.level:8} {finding.text}"
    if not finding.fix:
        return line
    return f"{line}\n{'':8} fix: {finding.fix}\n{'':8} see: {page}#{anchor(finding.topic)}"
