import os
import re
import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import otel_callbacks
from tests.support.models import ScriptedChat
from tests.support.telemetry import Telemetry

ROOT = Path(__file__).resolve().parents[2]
ENTRY = EntryPoint("otel_callbacks", "otel_callbacks.auto:OTelCallbacksInstrumentor", "opentelemetry_instrumentor")


@pytest.fixture
def instrumentor():
    """What `opentelemetry-instrument` makes of the entry point."""
    pytest.importorskip("opentelemetry.instrumentation")
    made = ENTRY.load()()
    yield made
    if made.is_instrumented_by_opentelemetry:
        made.uninstrument()


def _call():
    ScriptedChat(script=["hi"]).invoke("x")


def test_instrumentor_attaches_and_detaches(telemetry: Telemetry, options, instrumentor):
    """By OpenTelemetry's own interface: `instrument()` with our options, `uninstrument()`, and again."""
    for expected in (1, 2):
        instrumentor.instrument(**options)
        _call()
        assert len(telemetry.spans) == expected
        instrumentor.uninstrument()
        _call()
        assert len(telemetry.spans) == expected


def test_instrumentor_waits_for_langchain_and_can_be_taken_back(
    telemetry: Telemetry, options, instrumentor, monkeypatch
):
    """Before LangChain is loaded nothing is attached; once it is, the last word counts."""
    wrapt = pytest.importorskip("wrapt")
    hooks = sys.modules["langchain_core.tracers.context"]
    monkeypatch.delitem(sys.modules, hooks.__name__)
    instrumentor.instrument(**options)
    instrumentor.uninstrument()
    monkeypatch.undo()
    wrapt.notify_module_loaded(hooks)
    _call()
    assert telemetry.spans == ()
    monkeypatch.delitem(sys.modules, hooks.__name__)
    instrumentor.instrument(**options)
    monkeypatch.undo()
    _call()
    assert telemetry.spans == ()
    wrapt.notify_module_loaded(hooks)
    _call()
    assert len(telemetry.spans) == 1


def test_instrumentor_is_no_other_instrumentation(telemetry: Telemetry, options, instrumentor, caplog):
    """It does not give way to itself, and what it names as its requirement is what the package needs."""
    instrumentor.instrument(**options)
    _call()
    assert len(telemetry.spans) == 1
    assert [record for record in caplog.records if record.name == "otel_callbacks"] == []
    (needed,) = instrumentor.instrumentation_dependencies()
    project = (ROOT / "pyproject.toml").read_text()
    assert re.sub(r"\s", "", needed) in project


def test_failure_does_not_reach_the_programs_import(options, instrumentor, caplog):
    """It runs inside an import of the application: a wrong option is logged, not raised."""
    instrumentor.instrument(**options, nonsense=1)
    assert "zero-code tracing of LangChain failed" in caplog.text
    _call()


def test_missing_extra_is_named_in_one_line(monkeypatch):
    """Without the packages of the extra, the error says which extra to install."""
    monkeypatch.delitem(sys.modules, "otel_callbacks.auto", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.instrumentor", None)
    with pytest.raises(ModuleNotFoundError, match=r"^zero-code tracing needs: pip install 'otel-callbacks\[auto\]'.*$"):
        ENTRY.load()


APP = """
    import sys
    assert "langchain_core" not in sys.modules and "otel_callbacks.handler" not in sys.modules
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    if "langchain" in sys.argv:
        from langchain_core.language_models import FakeListChatModel
        assert FakeListChatModel(responses=["hi"]).invoke("x").content == "hi"
    print([span.name for span in exporter.get_finished_spans()], "otel_callbacks.handler" in sys.modules)
"""


def _opentelemetry_instrument(tmp_path: Path, *arguments: str) -> tuple[str, str]:
    """Run a program by the command, with our entry point registered as the wheel registers it."""
    pytest.importorskip("opentelemetry.instrumentation")
    project = (ROOT / "pyproject.toml").read_text()
    table = re.search(r"^\[project\.entry-points\.(opentelemetry_instrumentor)\]\n(.*\n)", project, re.MULTILINE)
    info = tmp_path / "otel_callbacks-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: otel-callbacks\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[{table[1]}]\n{table[2]}".replace('"', ""))
    (tmp_path / "app.py").write_text(textwrap.dedent(APP))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = Path(sys.executable).parent / "opentelemetry-instrument"
    # Providers and exporters are the program's here: without opentelemetry-distro the command sets none.
    done = subprocess.run(
        [command, sys.executable, "app.py", *arguments],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "OTEL_PYTHON_CONFIGURATOR": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_zero_code(tmp_path):
    """`opentelemetry-instrument python app.py` traces LangChain in a program that knows nothing of it."""
    output, errors = _opentelemetry_instrument(tmp_path, "langchain")
    assert output == "['chat'] True\n"
    assert "otel_callbacks" not in errors


def test_zero_code_costs_nothing_without_langchain(tmp_path):
    """In a process that runs no LangChain, neither LangChain nor the handler is loaded."""
    output, _ = _opentelemetry_instrument(tmp_path)
    assert output == "[] False\n"


def test_public_names_are_loaded_when_asked_for():
    """`import otel_callbacks` loads none of its parts; each public name brings its own; others are errors."""
    assert set(otel_callbacks.__all__) <= set(dir(otel_callbacks))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = otel_callbacks.nonsense
