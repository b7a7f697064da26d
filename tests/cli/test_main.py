"""The command line itself: help, version, usage errors, and how commands end."""

import os
import subprocess
import sys

import pytest

from otel_callbacks._version import __version__
from otel_callbacks.cli import COMMANDS, demo, main
from otel_callbacks.cli._exit import FINDING, Stop
from tests.cli.command import environment, run


def test_version_is_that_of_the_package(capsys):
    """``--version`` prints name and version and exits with 0."""
    code = main(["--version"])

    assert (code, capsys.readouterr().out) == (0, f"otel-callbacks {__version__}\n")


def test_help_lists_the_commands(capsys):
    """``--help`` lists commands with what they are for."""
    code = main(["--help"])
    output = " ".join(capsys.readouterr().out.split())

    assert code == 0
    assert f"{demo.NAME} {demo.HELP}" in output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param([], "COMMAND", id="no-command"),
        pytest.param(["dance"], "dance", id="unknown-command"),
        pytest.param(["demo", "--loud"], "--loud", id="unknown-option"),
        pytest.param(["demo", "--semconv", "7"], "'py-1.3', '0.1.0'", id="wrong-choice"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what(capsys, arguments, complaint):
    """Wrong arguments cost a usage message that names them, exit code 2, and no traceback."""
    code = main(arguments)

    assert code == 2
    assert complaint in capsys.readouterr().err


def test_module_is_the_same_command(tmp_path):
    """``python -m otel_callbacks`` is the command, exit code included."""
    assert run("--version", cwd=tmp_path) == (0, f"otel-callbacks {__version__}\n", "")
    assert run("demo", "--nonsense", cwd=tmp_path)[0] == 2


@pytest.mark.parametrize(
    ("ending", "code", "message"),
    [
        pytest.param(Stop("nothing there"), 2, "nothing there\n", id="wrong-use"),
        pytest.param(Stop("found something", FINDING), 1, "found something\n", id="finding"),
        pytest.param(KeyboardInterrupt(), 130, "", id="ctrl-c"),
    ],
)
def test_commands_end_without_a_traceback(monkeypatch, capsys, ending, code, message):
    """A command's end becomes an exit code and at most one line on standard error."""

    def command(args):
        raise ending

    monkeypatch.setattr(demo, "run", command)

    assert main(["demo"]) == code
    assert capsys.readouterr().err == message


def test_reader_that_goes_away_causes_no_traceback(monkeypatch, capsys):
    """With a closed pipe behind it, as ``| head`` leaves, a command ends quietly, and so does the interpreter."""
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(demo, "run", lambda args: print("a line"))
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        code = main(["demo"])
        print("the interpreter's last flush", file=output)

    assert (code, capsys.readouterr().err) == (141, "")


LOADED = """
import sys
import otel_callbacks
before = set(sys.modules)
from otel_callbacks.cli import main
main(sys.argv[1:])
heavy = ("opentelemetry", "langchain", "langgraph", "langsmith", "openai")
print(sorted({name.partition(".")[0] for name in set(sys.modules) - before if name.startswith(heavy)}))
"""


@pytest.mark.parametrize(
    ("arguments", "packages"),
    [
        pytest.param(["--version"], [], id="version"),
        *(pytest.param([command.NAME, "--help"], [], id=f"{command.NAME}-help") for command in COMMANDS),
        pytest.param(["report", "traces.jsonl"], [], id="report"),
        pytest.param(["view", "traces.jsonl"], [], id="view"),
        pytest.param(["dashboards", "export", "boards"], [], id="dashboards"),
        pytest.param(["doctor", "--otlp", "http://127.0.0.1:1"], ["opentelemetry"], id="doctor"),
    ],
)
def test_commands_load_what_they_need(tmp_path, arguments, packages):
    """A command loads LangChain and OpenTelemetry only if it needs them, and only when it runs."""
    (tmp_path / "traces.jsonl").touch()
    command = [sys.executable, "-c", LOADED, *arguments]
    process = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)

    assert process.stdout.splitlines()[-1] == str(packages)
