"""What a chat costs whose prompt is full of what rules of redaction look for, as a multiple of the same with prose.

usage: python -m benchmarks.near_secrets
"""

import sys
from itertools import count
from uuid import uuid4

from langchain_core.messages import HumanMessage
from opentelemetry.sdk.trace import TracerProvider

from benchmarks import callgrind
from otel_callbacks import Config, OTelCallbackHandler

_SIZE = 16_000  # characters
_PROSE = (
    "the model answers a question about the weather in Oslo, and then it explains why people like to walk along the "
    "river: nothing is better than fresh air; "
)
_UNITS = (
    "pwd=", "token:", "token=", "auth=", "token=x/", "a.token=", "token=\u4f60", "key=", "max_tokens=4096, ",
    "password: required. ", '"token", ', "The token limit: see the API key page. ", "--token TOKEN ", "%3D", "\\u003d",
    "sk-", "eyJ", "-----BEGIN ", "://a:",
)  # fmt: skip
_CHILD = "child"


def _texts() -> dict[str, str]:
    return {unit: unit * (_SIZE // len(unit)) for unit in (_PROSE, *_UNITS)}


def _child() -> None:
    handler = OTelCallbackHandler(tracer_provider=TracerProvider(), config=Config(capture="span_only"))
    numbers = count()
    marks = callgrind.Marks()

    def chat(text: str) -> None:
        run = uuid4()
        message = HumanMessage(f"{next(numbers)} {text}")  # never seen before
        handler.on_chat_model_start({}, [[message]], run_id=run, invocation_params={"model": "m"})
        handler.on_llm_end(None, run_id=run)

    for text in _texts().values():
        chat(text)
    for number, text in enumerate(_texts().values()):
        marks.start()
        chat(text)
        marks.mark(str(number))
        marks.stop()


def main() -> None:
    """Print the instructions of one chat's start and end for each text."""
    run = callgrind.run("benchmarks.near_secrets", _CHILD)
    counts = [instructions for _, instructions in run.instructions()]
    for unit, instructions in zip(("prose", *_UNITS), counts, strict=True):
        print(f"{unit!r:45} {instructions:>12,} {instructions / counts[0]:6.1f}")


if __name__ == "__main__":
    if sys.argv[1:] == [_CHILD]:
        _child()
    else:
        main()
