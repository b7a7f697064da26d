"""The number of our own frames between LangChain's callback manager and the place that reads the stack.

`_OWN_FRAMES` must follow the depth of the calls between a hook and `Body`. Too large a number skips the manager's
frames, so no body is found; too small a number walks our own frames at every start.
"""

import gc
import sys

import pytest

from otel_callbacks._spans import body as body_module
from otel_callbacks._spans.body import _MANAGER, _OWN_FRAMES, Body
from tests.support.programs import run
from tests.support.recorded_spans import RecordedSpans
from tests.ways.subjects import SUBJECTS, Probe

MOST_FRAMES_WALKED = 3
# LangChain starts async text models in a task of its own, whose stack does not hold their body.
STARTS = [
    pytest.param(kind, way, id=f"{kind}-{way}")
    for kind in ("chat", "text model", "LCEL chain", "tool", "retriever", "graph")
    for way in ("invoke", "ainvoke")
    if (kind, way) != ("text model", "ainvoke")
]


async def start(kind: str, way: str, probe: Probe, telemetry: RecordedSpans) -> None:
    """Run a subject of the matrix in that way."""
    subject = SUBJECTS[kind]
    await run(subject.build(probe), way, subject.value, {"callbacks": [telemetry.new_handler(detail="all")]})


class Stack:
    """Stands in for `sys` in the module of `Body`, and measures the stack whenever that module skips frames of it.

    Attributes:
        depths: Own frames below the first frame of another package, by each reading of the stack.
        neighbours: The modules of those first frames.
    """

    modules = sys.modules

    def __init__(self) -> None:
        self.depths: list[int] = []
        self.neighbours: set[str] = set()

    def _getframe(self, depth: int = 0) -> object:
        if depth > 1:
            frame, own = sys._getframe(1), 0
            while frame.f_globals["__name__"].partition(".")[0] == "otel_callbacks":
                frame, own = frame.f_back, own + 1
            self.depths.append(own)
            self.neighbours.add(frame.f_globals["__name__"])
        return sys._getframe(depth + 1)


@pytest.mark.parametrize(("kind", "way"), STARTS)
async def test_no_start_skips_the_manager_or_walks_far(telemetry: RecordedSpans, monkeypatch, kind, way):
    """No start skips a frame of LangChain's manager, and none walks more than a few frames to reach one."""
    stack = Stack()
    monkeypatch.setattr(body_module, "sys", stack)
    await start(kind, way, Probe(telemetry.tracer, "finished"), telemetry)
    assert stack.neighbours == {_MANAGER}
    assert min(stack.depths) >= _OWN_FRAMES, f"_OWN_FRAMES skips frames of the manager: make it {min(stack.depths)}"
    assert max(stack.depths) <= _OWN_FRAMES + MOST_FRAMES_WALKED, f"_OWN_FRAMES is too small: {stack.depths}"


async def test_the_shallowest_start_walks_no_frame(telemetry: RecordedSpans, monkeypatch):
    """`_OWN_FRAMES` is exactly the least depth of all starts."""
    stack = Stack()
    monkeypatch.setattr(body_module, "sys", stack)
    for parameters in STARTS:
        await start(*parameters.values, Probe(telemetry.tracer, "finished"), telemetry)
    assert min(stack.depths) == _OWN_FRAMES, f"set _OWN_FRAMES to {min(stack.depths)}"


class StackProbe(Probe):
    """Looks for the bodies of its runs on the stack."""

    def __init__(self, telemetry: RecordedSpans) -> None:
        super().__init__(telemetry.tracer, "finished")
        gc.collect()
        self.earlier = [one for one in gc.get_objects() if type(one) is Body]
        self.bodies: list[Body] = []
        self.enclosing: list[Body] = []

    def visit(self) -> None:
        earlier = set(map(id, self.earlier))
        self.bodies = [one for one in gc.get_objects() if type(one) is Body and id(one) not in earlier]
        frame = sys._getframe(1)
        while frame is not None:
            self.enclosing += [one for one in self.bodies if (one.frame, one.code) == (id(frame), frame.f_code)]
            frame = frame.f_back


@pytest.mark.parametrize(("kind", "way"), STARTS)
async def test_each_start_finds_its_body(telemetry: RecordedSpans, kind, way):
    """Every run knows the frame that encloses its body, and synchronous code in the body has it on the stack."""
    probe = StackProbe(telemetry)
    await start(kind, way, probe, telemetry)
    assert probe.bodies
    assert [body for body in probe.bodies if body.code is None] == []
    # LangChain awaits some async bodies in a task of their own, on whose stack the frame is not.
    assert probe.enclosing or way == "ainvoke"
