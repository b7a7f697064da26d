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
from tests.support.recorded_spans import RecordedSpans

ROOT = Path(__file__).resolve().parents[2]
ENTRY = EntryPoint("otel_callbacks", "otel_callbacks.auto:OTelCallbacksInstrumentor", "opentelemetry_instrumentor")


@pytest.fixture
def instrumentor():
    """Yield the instrumentor that `opentelemetry-instrument` makes from the entry point."""
    pytest.importorskip("opentelemetry.instrumentation")
    instance = ENTRY.load()()
    yield instance
    if instance.is_instrumented_by_opentelemetry:
        instance.uninstrument()


def _call():
    ScriptedChat(script=["hi"]).invoke("x")


def test_instrumentor_attaches_and_detaches(telemetry: RecordedSpans, options, instrumentor):
    """OpenTelemetry's own `instrument()`, with our options, and `uninstrument()` work repeatedly."""
    for expected in (1, 2):
        instrumentor.instrument(**options)
        _call()
        assert len(telemetry.spans) == expected
        instrumentor.uninstrument()
        _call()
        assert len(telemetry.spans) == expected


def test_instrumentor_waits_for_langchain_and_can_be_withdrawn(
    telemetry: RecordedSpans, options, instrumentor, monkeypatch
):
    """Nothing is attached before LangChain is loaded; then the latest call counts."""
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


def test_instrumentor_does_not_give_way_to_itself(telemetry: RecordedSpans, options, instrumentor, caplog):
    """The instrumentor is not another instrumentation to itself, and its requirement is the package's."""
    instrumentor.instrument(**options)
    _call()
    assert len(telemetry.spans) == 1
    assert [record for record in caplog.records if record.name == "otel_callbacks"] == []
    (requirement,) = instrumentor.instrumentation_dependencies()
    project = (ROOT / "pyproject.toml").read_text()
    assert re.sub(r"\s", "", requirement) in project


def test_failure_does_not_reach_the_programs_import(options, instrumentor, caplog):
    """A wrong option is logged, not raised, because the code runs inside an import of the application."""
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
    others = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = Path(sys.executable).parent / "opentelemetry-instrument"
    # Providers and exporters are the program's here: without opentelemetry-distro the command sets none.
    process = subprocess.run(
        [command, sys.executable, "app.py", *arguments],
        cwd=tmp_path,
        env={**others, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "OTEL_PYTHON_CONFIGURATOR": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout, process.stderr


def test_zero_code(tmp_path):
    """`opentelemetry-instrument python app.py` traces LangChain in a program that does not mention it."""
    output, errors = _opentelemetry_instrument(tmp_path, "langchain")
    assert output == "['chat'] True\n"
    assert "otel_callbacks" not in errors


def test_zero_code_costs_nothing_without_langchain(tmp_path):
    """In a process that runs no LangChain, neither LangChain nor the handler is loaded."""
    output, _ = _opentelemetry_instrument(tmp_path)
    assert output == "[] False\n"


def test_public_names_are_loaded_on_first_use():
    """`import otel_callbacks` loads none of its modules; each public name loads its own; other names are errors."""
    assert set(otel_callbacks.__all__) <= set(dir(otel_callbacks))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = otel_callbacks.nonsense
