"""`otel-callbacks stack` and `dashboards` without an engine: files, and messages about what is missing."""

import argparse
import json
import os
import socket
from pathlib import Path

import pytest

from otel_callbacks.cli import _shipped, dashboards, stack
from otel_callbacks.cli._compose import Compose, is_taken
from otel_callbacks.cli._exit import FINDING, Stop

NO_COMPOSE = "exit 1"
NO_ENGINE = 'case "$*" in *version) exit 0;; esac; echo "Cannot connect to the Docker daemon" >&2; exit 1'
NO_RIGHT = 'case "$*" in *version) exit 0;; esac; echo "permission denied while trying to connect" >&2; exit 1'
CONFIG = {
    "services": {
        "jaeger": {"ports": [{"target": 16686, "published": "16686", "host_ip": "127.0.0.1"}]},
        "volumes": {},
    }
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a user's data folder of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data/otel-callbacks/stack"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that replaces any installed docker with a shell script."""

    def install(script: str | None) -> None:
        (tmp_path / "bin").mkdir()
        if script is not None:
            program = tmp_path / "bin/docker"
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return install


def run(command, *arguments: str) -> int:
    """Run a command as the command line does."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


def engine_with(config: dict, containers: str = "") -> str:
    """Return the script of a docker that answers like an engine with these settings and containers."""
    return f"""case "$*" in
    *version|*ls|*wait|*down) exit 0;;
    *config*) cat <<'EOF'\n{json.dumps(config)}\nEOF\n;;
    *ps*) printf '%s' '{containers}';;
    *) exit 3;;
    esac"""


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(None, "Docker is not installed", id="no docker"),
        pytest.param(NO_COMPOSE, "no Compose plugin", id="no compose"),
        pytest.param(NO_ENGINE, "Docker engine does not answer", id="no engine"),
        pytest.param(NO_RIGHT, "no permission to use the Docker engine", id="no right"),
    ],
)
def test_each_missing_part_has_its_message(folder, docker, script, message):
    """Each part that can be missing has its own message, which the troubleshooting list holds, and is a finding."""
    docker(script)
    with pytest.raises(Stop, match=message) as stopped:
        run(stack, "up")
    assert stopped.value.code == FINDING
    page = (Path(__file__).resolve().parents[2] / "docs/stack.md").read_text()
    assert message in page.split("## Troubleshooting")[1]


def test_a_taken_port_is_named_with_its_variable(folder, docker):
    """A port that something else listens on is named, with the variable that changes it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        services = {"jaeger": {"ports": [{"target": 16686, "published": str(port)}]}}
        docker(engine_with({"services": services}).replace("cat", "/bin/cat"))
        with pytest.raises(Stop, match=f"port {port} is taken.*JAEGER_UI_PORT={port + 1}"):
            run(stack, "up")


def test_a_free_port_is_not_taken():
    """A port that nothing listens on is free, one that something listens on is not."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert is_taken(port)
    assert not is_taken(port)


def test_wrong_settings_are_reported_in_composes_own_words(folder, docker):
    """What Compose says about a wrong setting reaches the user."""
    docker('case "$*" in *config*) echo "invalid port: x" >&2; exit 1;; esac')
    with pytest.raises(Stop, match="invalid port: x"):
        run(stack, "up")


@pytest.mark.parametrize("listing", ['{"Service":"a"}\n{"Service":"b"}', '[{"Service":"a"},{"Service":"b"}]', ""])
def test_both_listings_of_containers_are_read(folder, docker, listing):
    """Containers are read as lines or as one array, since Compose releases differ."""
    docker(engine_with(CONFIG, listing))
    assert [one["Service"] for one in Compose(folder).containers()] == (["a", "b"] if listing else [])


def test_status_of_nothing(folder, docker, capsys):
    """Without containers, status says how to start the stack, and is a finding."""
    docker(engine_with(CONFIG))
    assert run(stack, "status") == FINDING
    assert "otel-callbacks stack up" in capsys.readouterr().out


def test_files_are_complete_and_readable_for_all(folder):
    """The copy has everything that the compose file mounts, readable for other users, and no sources."""
    before = os.umask(0o077)
    try:
        _shipped.copy_stack(folder)
    finally:
        os.umask(before)
    copied = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert copied >= {"docker-compose.yml", ".env.example", "deploy/jaeger/config.yaml", "dashboards/rules/alerts.yml"}
    assert not [path for path in copied if path.endswith(".py")]
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in folder.rglob("*"))


def test_copying_again_keeps_the_users_settings(folder):
    """An .env beside the files stays, a changed file is replaced."""
    _shipped.copy_stack(folder)
    (folder / ".env").write_text("GRAFANA_PORT=3001\n")
    (folder / "docker-compose.yml").write_text("old\n")
    _shipped.copy_stack(folder)
    assert (folder / ".env").read_text() == "GRAFANA_PORT=3001\n"
    assert "jaeger" in (folder / "docker-compose.yml").read_text()


def test_export_writes_boards_and_rules(tmp_path, capsys):
    """Export writes and lists four boards and two files of rules."""
    assert run(dashboards, "export", str(tmp_path / "out"), "--json") == 0
    paths = {
        Path(path).relative_to(tmp_path / "out").as_posix() for path in json.loads(capsys.readouterr().out)["files"]
    }
    boards = {f"otel-callbacks-{name}.json" for name in ("overview", "agents", "cost", "health")}
    assert paths == boards | {"rules/recording.yml", "rules/alerts.yml"}
    assert json.loads((tmp_path / "out/otel-callbacks-cost.json").read_text())["uid"] == "otel-callbacks-cost"


def test_export_into_a_file_says_so(tmp_path):
    """A path that cannot be a folder gives one line, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Stop, match="cannot write"):
        run(dashboards, "export", str(tmp_path / "file"))


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_status_prints_no_control_character(folder, docker, capsys, monkeypatch, options):
    """Names and states come from the engine; what they hold cannot move the cursor or break a line."""
    hostile = {"Service": "jaeger\x1b[2J\n", "State": "run\x07ning\u202e\x7f", "Health": ""}
    services = {service: {"ports": []} for service, _ in stack._ADDRESSES.values()}
    for service, inside in stack._ADDRESSES.values():
        services[service]["ports"].append({"target": inside, "published": str(inside)})
    docker(engine_with({"services": services}, json.dumps(hostile)))
    monkeypatch.setenv("PATH", os.environ["PATH"] + ":/usr/bin:/bin")  # for `cat`
    assert run(stack, "status", *options) == FINDING
    output = capsys.readouterr().out
    assert "\\u001b[2J" in output if options else "jaeger\\x1b[2J\\n  run\\x07ning\\u202e\\x7f\n" in output
    assert all(character.isprintable() or character == "\n" for character in output)
