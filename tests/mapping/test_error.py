import asyncio
import concurrent.futures
from types import SimpleNamespace

import pytest

from otel_callbacks._mapping import error as errors


def class_in(module, name, *bases):
    """Make a class that seems to be defined in that module."""
    return type(name, bases or (Exception,), {"__module__": module})


BUBBLE_UP = class_in("langgraph.errors", "GraphBubbleUp")
INTERRUPT = class_in("langgraph.errors", "GraphInterrupt", BUBBLE_UP)
PARENT_COMMAND = class_in("langgraph.errors", "ParentCommand", BUBBLE_UP)
SCRIPT_CONTROL = class_in("streamlit.runtime.scriptrunner_utils.exceptions", "ScriptControlException", BaseException)
RECURSION = class_in("langgraph.errors", "GraphRecursionError", RecursionError)


@pytest.mark.parametrize(
    ("error", "outcome", "error_type"),
    [
        (ValueError("no"), "error", "ValueError"),
        (INTERRUPT(()), "interrupted", None),
        (PARENT_COMMAND(SimpleNamespace(goto="b")), "handed_off", None),
        (RECURSION("25"), "error", "langgraph.errors.GraphRecursionError"),
        (asyncio.CancelledError(), "cancelled", None),
        (concurrent.futures.CancelledError(), "cancelled", None),
        (GeneratorExit(), "cancelled", None),
        (KeyboardInterrupt(), "cancelled", None),
        (SystemExit(1), "cancelled", None),
        (class_in("greenlet", "GreenletExit", BaseException)(), "cancelled", None),
        (class_in("greenlet._greenlet", "GreenletExit", BaseException)(), "cancelled", None),
        (class_in("streamlit.runtime.x", "RerunException", SCRIPT_CONTROL)(), "cancelled", None),
        (class_in("trio", "Cancelled", BaseException)(), "cancelled", None),
        (class_in("trio._core._exceptions", "Cancelled", BaseException)(), "cancelled", None),
        (class_in("app", "Left", asyncio.CancelledError)(), "cancelled", None),
        (class_in("gevent.timeout", "Timeout", BaseException)(), "error", "gevent.timeout.Timeout"),
        (class_in("pyo3_runtime", "PanicException", BaseException)(), "error", "pyo3_runtime.PanicException"),
        (BaseException(), "error", "BaseException"),
        (TimeoutError(), "error", "TimeoutError"),
    ],
)
def test_outcome_of_an_exception(error, outcome, error_type):
    """Interrupts and hand-offs are control flow, cancellations are not errors, and everything else is an error."""
    ending = errors.ending(error, cancel_is_error=False)
    assert (ending.outcome, ending.error_type) == (outcome, error_type)


@pytest.mark.parametrize(
    "name", ["GraphInterrupt", "GraphBubbleUp", "ParentCommand", "CancelledError", "GeneratorExit", "Cancelled"]
)
@pytest.mark.parametrize(
    "module", ["app.errors", "langgraphs", "asyncio_tools", "trio_app.x", "app.asyncio.exceptions"]
)
def test_class_of_the_same_name_elsewhere_is_an_error(module, name):
    """An exception of a user's own class is an error even if it is named like one that ends a run from outside."""
    ending = errors.ending(class_in(module, name)(), cancel_is_error=False)
    assert (ending.outcome, ending.error_type) == ("error", f"{module}.{name}")


class Lying(type):
    """A metaclass whose classes do not say who they are."""

    def __getattribute__(cls, name):
        if name in {"__mro__", "__module__", "__name__", "__qualname__"}:
            raise RuntimeError("hands off")
        return super().__getattribute__(name)


@pytest.mark.parametrize("module", [None, 7, "", property(str), ["asyncio"]])
@pytest.mark.parametrize("base", [ValueError, asyncio.CancelledError])
def test_class_of_an_odd_module_has_its_bases_and_its_name(module, base):
    """A class whose module is no text is judged by its bases, and goes by its bare name."""
    kind = class_in(module, "Odd", base)
    ending = errors.ending(kind(), cancel_is_error=True)
    assert (ending.outcome, ending.error_type) == ("error" if base is ValueError else "cancelled", "Odd")


def test_class_without_a_module_has_its_name():
    """A class that was made where no module is known goes by its bare name."""
    kind = eval("type('Odd', (ValueError,), {})", {})  # noqa: S307 - globals without a name
    assert errors.full_name(kind) == "Odd"


def test_class_that_hides_its_name_is_read_past_its_metaclass():
    """A metaclass whose attributes raise hides nothing."""
    kind = Lying("Hidden", (asyncio.CancelledError,), {"__module__": "app"})
    assert errors.ending(kind(), cancel_is_error=True) == errors.Ending("cancelled", "app.Hidden")


def test_subclass_of_an_interrupt_is_an_interrupt():
    """An exception of a class derived from LangGraph's interrupt is an interrupt."""
    assert errors.ending(class_in("app", "Pause", INTERRUPT)(), cancel_is_error=False).outcome == "interrupted"


def test_cancellation_may_count_as_an_error():
    """With `cancel_is_error`, a cancelled run keeps its outcome and gets an error type."""
    ending = errors.ending(asyncio.CancelledError(), cancel_is_error=True)
    assert (ending.outcome, ending.error_type) == ("cancelled", "asyncio.exceptions.CancelledError")


@pytest.mark.parametrize(
    ("goto", "expected"),
    [
        ("b", "b"),
        (["b", "c"], "b,c"),
        ([SimpleNamespace(node="b"), "c"], "b,c"),
        (SimpleNamespace(node="b"), "b"),
        ((), None),
        (None, None),
    ],
)
def test_target_of_a_hand_off(goto, expected):
    """A hand-off names the nodes it goes to."""
    out = {}
    errors.control_flow(PARENT_COMMAND(SimpleNamespace(goto=goto)), out)
    assert out.get("langgraph.handoff.target") == expected


def test_hand_off_without_a_command_is_still_one():
    """A hand-off that carries no command is still a hand-off."""
    out = {}
    errors.control_flow(PARENT_COMMAND(), out)
    assert out == {}
    assert errors.ending(PARENT_COMMAND(), cancel_is_error=False).outcome == "handed_off"


PROVIDER_ERROR = class_in("openai", "RateLimitError")
MODEL_ERROR = class_in("langchain_core.exceptions", "ModelError")
OVERFLOW = class_in("langchain_core.exceptions", "ContextOverflowError", MODEL_ERROR)
MODEL_RATE_LIMIT = class_in("langchain_core.exceptions", "ModelRateLimitError", MODEL_ERROR)
OUTPUT_PARSER = class_in("langchain_core.exceptions", "OutputParserException", ValueError)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ValueError, "ValueError"),
        (PROVIDER_ERROR, "openai.RateLimitError"),
        (
            class_in("langchain_openai.chat_models.base", "OpenAIRateLimitError", PROVIDER_ERROR),
            "openai.RateLimitError",
        ),
        (OUTPUT_PARSER, "langchain_core.exceptions.OutputParserException"),
        (
            class_in("langchain.x", "XmlParserException", OUTPUT_PARSER),
            "langchain_core.exceptions.OutputParserException",
        ),
        (class_in("app", "Unreadable", OUTPUT_PARSER), "app.Unreadable"),
        (
            class_in("langchain_openai.chat_models.base", "OpenAIContextOverflowError", PROVIDER_ERROR, OVERFLOW),
            "langchain_core.exceptions.ContextOverflowError",
        ),
        (
            class_in("langchain_openai.chat_models.base", "OpenAIRateLimitError", PROVIDER_ERROR, MODEL_RATE_LIMIT),
            "openai.RateLimitError",
        ),
        (
            class_in("langchain_openai.middleware.openai_moderation", "OpenAIModerationError", RuntimeError),
            "langchain_openai.middleware.openai_moderation.OpenAIModerationError",
        ),
        (
            class_in("langchain_openai.chat_models._client_utils", "StreamChunkTimeoutError", TimeoutError),
            "langchain_openai.chat_models._client_utils.StreamChunkTimeoutError",
        ),
        (
            class_in("langchain_core.exceptions", "TracerException"),
            "langchain_core.exceptions.TracerException",
        ),
        (class_in("app.errors", "Wrong", ValueError), "app.errors.Wrong"),
        (Exception, "Exception"),
    ],
)
def test_error_type_tells_what_has_another_cure(kind, expected):
    """The type is the exception's class; of LangChain's wrappers, the shared or the provider's, as it says more."""
    assert errors.error_type(kind) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [(429, 429), (599, 599), (99, None), (600, None), (True, None), ("429", None), (None, None)],
)
def test_status_code(code, expected):
    """Only an integer from 100 to 599 is an HTTP status."""
    error = ValueError()
    error.status_code = code
    assert errors.status_code(error) == expected
    assert errors.status_code(ValueError()) is None


def fail(depth):
    """Raise an exception that many frames below."""
    if depth:
        fail(depth - 1)
    raise ValueError("secret text")


def stack_of(depth):
    """Return the stack of an exception that is raised that many frames below."""
    try:
        fail(depth)
    except ValueError as error:
        return errors.stack(error)


def test_stack_has_places_only():
    """The stack has file, line and function of each frame, innermost last, but neither message nor source."""
    lines = stack_of(1).split("\n")
    assert [line.rsplit(":", 1)[1] for line in lines] == ["stack_of", "fail", "fail"]
    assert all(line.startswith("tests/mapping/test_error.py:") for line in lines)
    assert "secret" not in stack_of(1)


@pytest.mark.parametrize(
    ("file", "module", "shown"),
    [
        ("/people/ann/venv/lib/python3.12/site-packages/langchain_core/runnables/base.py",
         "langchain_core.runnables.base", "langchain_core/runnables/base.py"),
        ("/people/ann/shop/agents/__init__.py", "shop.agents", "shop/agents/__init__.py"),
        ("C:\\Users\\ann\\shop\\tools.py", "shop.tools", "shop/tools.py"),
        ("/people/ann/shop/main.py", "__main__", "main.py"),
        ("/people/ann/tools.py", "tools", "tools.py"),
        ("/people/ann/tools.py", "made.up", "tools.py"),
        ("/people/ann/tools.py", None, "tools.py"),
        ("/var/ipykernel_1/123.py", "__main__", "123.py"),
        ("<string>", "shop.tools", "<string>"),
        ("<frozen importlib._bootstrap>", "importlib._bootstrap", "<frozen importlib._bootstrap>"),
        ("", "shop", ""),
    ],
)  # fmt: skip
def test_stack_shows_no_folder_above_the_package(file, module, shown):
    """A file is shown from its package on; one outside of any package, or of code made up, by its name alone."""
    names = {"__name__": module}
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile("1 / 0", file, "exec"), names)  # noqa: S102 - code of this test
    assert errors.stack(caught.value).split("\n")[-1] == f"{shown}:1:<module>"


def test_long_stack_is_cut_in_the_middle():
    """A deep stack keeps both ends and says how many frames are left out."""
    lines = stack_of(200).split("\n")
    assert len(lines) == 65
    assert lines[32] == "... 138 frames ..."


def test_exception_that_was_never_raised_has_no_stack():
    """Without a traceback the stack is empty."""
    assert errors.stack(ValueError()) == ""
