"""What one run of the demo did and sent: as text for people, as one JSON document for programs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from otel_callbacks.cli._demo import summary
from otel_callbacks.cli._demo.telemetry import SERVICE, Batch
from otel_callbacks.cli._demo.truth import GroundTruth

OK: Final = "ok"

_NEXT: Final = """\
Next
  in your app   from otel_callbacks import OTelCallbackHandler
                chain.invoke(question, config={"callbacks": [OTelCallbackHandler()]})
  see it        otel-callbacks stack up && otel-callbacks demo --otlp http://localhost:4318
  real model    otel-callbacks demo --model openai:gpt-4o-mini"""


class DemoResult(NamedTuple):
    """Everything that is reported about one run of the demo."""

    semconv: str
    model: str
    programs: Mapping[str, str]
    """"ok", or the error, by program; programs that Ctrl-C prevented are missing."""
    truth: GroundTruth
    batch: Batch
    folder: Path
    refused: Mapping[str, Sequence[str]]
    """Signals that were refused, by destination."""
    otlp: str | None
    """Where telemetry was sent besides the files."""

    @property
    def files(self) -> dict[str, str]:
        """Paths of the files by signal."""
        return {path.name.partition(".")[0]: str(path) for path in sorted(self.folder.glob("*.jsonl"))}

    @property
    def problems(self) -> list[str]:
        """One line for each thing that went wrong."""
        failed = [f"{name} failed: {result}" for name, result in self.programs.items() if result != OK]
        return failed + [f"{place} did not take {' and '.join(signals)}" for place, signals in self.refused.items()]


def as_json(result: DemoResult) -> dict[str, Any]:
    """Return the ground truth and what was sent, as a JSON object."""
    return {
        "service": SERVICE,
        "semconv": result.semconv,
        "model": result.model,
        "programs": dict(result.programs),
        "runs": dict(result.truth.runs),
        "errors": dict(result.truth.errors),
        "tokens": dict(result.truth.tokens),
        "spans": dict(Counter(span.name.partition(" ")[0] for span in result.batch.spans)),
        "metrics": summary.names(result.batch.metrics),
        "files": result.files,
        "otlp": result.otlp,
        "problems": result.problems,
    }


def as_text(result: DemoResult) -> str:
    """Return the table, the files, the problems, and what to do next."""
    sections = {"Files": list(result.files.values()), "Sent to": [result.otlp or ""], "Problems": result.problems}
    paragraphs = ["\n  ".join([heading, *lines]) for heading, lines in sections.items() if any(lines)]
    return "\n" + "\n\n".join([summary.table(summary.rows(result.batch.metrics)), *paragraphs, _NEXT])
