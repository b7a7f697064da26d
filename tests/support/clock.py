"""Time that a test sets, and a model that streams by it."""

from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict

from tests.support.models import ScriptedChat


class StillClock:
    """A monotonic clock that stands still until it is moved, in nanoseconds."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class TimedChat(ScriptedChat):
    """A chat model that moves a clock before each chunk it streams.

    Attributes:
        clock: The clock it moves.
        script: The chunks, each as its time in milliseconds and its text.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    clock: StillClock

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        for milliseconds, text in self.script:
            self.clock.now_ns = milliseconds * 1_000_000
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))
