"""Values that cause trouble for any code that looks at them, and strategies that draw them."""

import uuid
from typing import Any

from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, LLMResult


def _raise(*_: Any, **__: Any) -> Any:
    raise RuntimeError("hands off")


class Printable:
    """Lets hypothesis print values whose `repr` raises."""

    def _repr_pretty_(self, printer: Any, _: Any) -> None:
        printer.text(f"<{type(self).__name__}>")


class Hostile(Printable):
    """An object whose attributes all raise, as does every special method that a tracer may touch."""

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __eq__ = __hash__ = __getattr__ = __getitem__ = _raise
    __contains__ = __int__ = __float__ = __index__ = __format__ = __lt__ = __call__ = __reduce__ = __copy__ = _raise
    __deepcopy__ = __bytes__ = __next__ = __add__ = __ne__ = _raise

    @property
    def int(self) -> Any:
        raise RuntimeError("hands off")

    @property
    def content(self) -> Any:
        raise RuntimeError("hands off")

    def model_dump(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("hands off")


class Faceless(Hostile):
    """An object on which not even ``isinstance`` works."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("hands off")


class HostileError(Printable, Exception):
    """An exception that cannot be printed, with attributes that cannot be read."""

    __str__ = __repr__ = _raise

    @property
    def status_code(self) -> Any:
        raise RuntimeError("hands off")


class HostileDict(Printable, dict):  # type: ignore[type-arg]
    """A dictionary that cannot be read."""

    get = items = keys = values = __getitem__ = __iter__ = __contains__ = _raise


class HugeInt(Printable, int):
    """A number with more digits than Python converts to text."""


class HugeText(Printable, str):
    """A text too long to print."""

    __slots__ = ()


def cycle() -> dict[str, Any]:
    """Build a structure that contains itself."""
    ring: dict[str, Any] = {"list": []}
    ring["list"].append(ring)
    ring["self"] = ring
    return ring


HUGE_TEXT = HugeText("x" * 10_000_000)
HUGE_INT = HugeInt(10**6_000)

STRANGE = (
    lambda: None,
    lambda: float("nan"),
    lambda: float("-inf"),
    lambda: HUGE_INT,
    lambda: HUGE_TEXT,
    lambda: "\ud800 lone",
    lambda: b"\xff\x00",
    object,
    lambda: int,
    lambda: uuid.UUID(int=1),
    Hostile,
    Faceless,
    lambda: HostileDict({"a": 1}),
    cycle,
)
strange = st.one_of(*map(st.builds, STRANGE))  # not `sampled_from`, which prints its values: many cannot be printed
plain = st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8)
values = st.recursive(
    plain | strange,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3) | st.tuples(inner)
    ),
    max_leaves=5,
)

KEYS = st.sampled_from(
    [
        "name", "id", "kwargs", "model", "model_name", "temperature", "ls_provider", "ls_model_name", "thread_id",
        "langgraph_checkpoint_ns", "traceparent", "otel_callbacks.resume", "ls_integration", "lc_agent_name",
        "token_usage", "usage", "input_tokens", "output_tokens", "finish_reason", "tools", "stop", "_type", "n",
    ]
)  # fmt: skip
bags = st.dictionaries(KEYS, values, max_size=4) | values


@st.composite
def messages(draw: Any) -> Any:
    """Draw a message of LangChain with odd values in its fields, or anything else."""
    message = draw(st.sampled_from([HumanMessage, AIMessage, AIMessageChunk]))(draw(st.text(max_size=8)))
    message.__dict__.update(draw(st.dictionaries(st.sampled_from(list(message.__dict__)), values, max_size=3)))
    return draw(st.just(message) | st.just(ToolMessage("x", tool_call_id="1", status="error")) | values)


@st.composite
def results(draw: Any) -> Any:
    """Draw what a model's run ends with, with odd values in its fields, or anything else."""
    generations: list[Any] = [Generation(text="x"), ChatGeneration(message=AIMessage("x"))]
    result = LLMResult(generations=[generations])
    generations[1].__dict__["message"] = draw(messages())
    generations[1].__dict__["generation_info"] = draw(bags)
    result.__dict__["llm_output"] = draw(bags)
    result.__dict__["generations"] = draw(st.just([generations]) | values)
    documents = [Document("x", metadata={"score": float("nan")})]
    return draw(st.just(result) | st.just(documents) | messages() | values)


@st.composite
def chunks(draw: Any) -> Any:
    """Draw what a stream yields, or anything else."""
    chunk = ChatGenerationChunk(message=AIMessageChunk(""))
    chunk.__dict__["message"] = draw(messages())
    return draw(st.just(chunk) | values)


ERRORS = (
    ValueError,
    HostileError,
    KeyboardInterrupt,
    GeneratorExit,
    lambda: ValueError(HUGE_TEXT),
    lambda: OSError(HUGE_INT),
)
errors = st.one_of(*map(st.builds, ERRORS)) | values
