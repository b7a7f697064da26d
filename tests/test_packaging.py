"""The wheel holds what users need and works in an empty environment; no file names a place on one machine."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest
import yaml

from otel_callbacks._version import __version__

ROOT = Path(__file__).resolve().parent.parent
LIGHT_IMPORT = """
import sys
import otel_callbacks
heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "langchain_core", "langchain", "langgraph", "langsmith")
print(sorted(name for name in sys.modules if f"{name}.".startswith(tuple(f"{package}." for package in heavy))))
"""


def run(*command, cwd=ROOT):
    """Run a command as a user would, without this process's provider keys and Python path, and return its output."""
    hidden = re.compile("(OTEL|LANGCHAIN|LANGSMITH|LANGGRAPH|OPENAI|ANTHROPIC|PYTHON|COV).*")
    variables = {name: value for name, value in os.environ.items() if not hidden.fullmatch(name)}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the source distribution and the wheel from it; return their folder."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    """Return the built wheel."""
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def install(tmp_path_factory, wheel):
    """Return a function that installs the wheel with extras in an empty environment, and returns its `bin` folder."""
    folder = tmp_path_factory.mktemp("environment")
    create = [sys.executable, ROOT / "scripts" / "environment.py", folder, ROOT / "constraints" / "newest.txt"]
    run(*create, wheel)

    def add(extra=""):
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run(*pip, "--constraint", ROOT / "constraints" / "newest.txt", f"{wheel}{extra}")
        return folder / "bin"

    return add


def test_wheel_holds_the_package_only(wheel):
    """The wheel has the typed package, its licence and its command, and neither tests nor scripts."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = archive.read(f"otel_callbacks-{__version__}.dist-info/entry_points.txt").decode()
    info = f"otel_callbacks-{__version__}.dist-info"

    assert (
        "[opentelemetry_instrumentor]\notel_callbacks = otel_callbacks.auto:OTelCallbacksInstrumentor\n" in entry_points
    )
    assert {name.split("/")[0] for name in names} == {"otel_callbacks", info}
    assert {"otel_callbacks/py.typed", f"{info}/licenses/LICENSE", f"{info}/entry_points.txt"} <= set(names)


def test_source_distribution_holds_the_repository(built):
    """The source distribution has everything in the repository, and only its metadata besides."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames()}

    assert names ^ {path.relative_to(ROOT).as_posix() for path in repository_files()} == {"PKG-INFO"}


def test_wheel_holds_the_whole_stack(wheel):
    """The wheel has the compose file and every configuration, board and rule of the stack, at the same places."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    patterns = (".env.example", "docker-compose*.yml", "deploy/**/*", "dashboards/*.json", "dashboards/rules/*.yml")
    stack = [path.relative_to(ROOT) for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]

    assert len(stack) > len(patterns)
    assert {f"otel_callbacks/_stack/{path.as_posix()}" for path in stack} - set(names) == set()


def test_wheel_needs_the_core_dependencies_only(wheel):
    """Without extras the wheel requires the OpenTelemetry API, SDK and OTLP exporters and langchain-core."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = BytesParser().parsebytes(archive.read(f"otel_callbacks-{__version__}.dist-info/METADATA"))
    core = {need for need in metadata.get_all("Requires-Dist") if "extra ==" not in need}

    assert metadata["Version"] == __version__
    assert core == {
        "opentelemetry-api>=1.35",
        "opentelemetry-sdk>=1.35",
        "opentelemetry-exporter-otlp>=1.35",
        "langchain-core<2,>=0.3.60",
    }


def test_import_is_light():
    """``import otel_callbacks`` loads no SDK, no exporter and no LangChain."""
    assert run(sys.executable, "-c", LIGHT_IMPORT) == "[]\n"


@pytest.mark.slow
def test_wheel_alone_can_be_imported_in_an_empty_environment(install, tmp_path):
    """The wheel without extras imports lightly, and each of its public names can be imported."""
    python = install() / "python"

    assert run(python, "-c", LIGHT_IMPORT, cwd=tmp_path) == "[]\n"
    run(python, "-c", "from otel_callbacks import *", cwd=tmp_path)


@pytest.mark.slow
def test_readme_first_example_works_in_an_empty_environment(install, tmp_path):
    """The first Python block of the README runs with the wheel and its demo extra, as copied into a file."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    example = tmp_path / "example.py"
    example.write_text(blocks[0])

    run(install("[demo]") / "python", example, cwd=tmp_path)


@pytest.mark.slow
def test_set_up_works_with_the_wheel_alone(install, tmp_path):
    """The quickstart of the set-up page runs without any extra, as copied into a file."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "setup.md").read_text(), re.DOTALL | re.MULTILINE)
    quickstart = tmp_path / "quickstart.py"
    quickstart.write_text(blocks[0])

    run(install() / "python", quickstart, cwd=tmp_path)


ZERO_CODE = """
from langchain_core.language_models import FakeListChatModel
FakeListChatModel(responses=["hi"]).invoke("x")
"""


@pytest.mark.slow
def test_zero_code_works_in_an_empty_environment(install, tmp_path):
    """``opentelemetry-instrument`` with the wheel and its auto extra traces a program without any change."""
    (tmp_path / "app.py").write_text(ZERO_CODE)
    commands = install("[auto]")
    exporters = ["--traces_exporter", "console", "--metrics_exporter", "none", "--logs_exporter", "none"]
    output = run(commands / "opentelemetry-instrument", *exporters, commands / "python", "app.py", cwd=tmp_path)

    assert '"name": "chat"' in output
    assert '"gen_ai.operation.name": "chat"' in output


@pytest.mark.slow
def test_demo_works_in_an_empty_environment(install, tmp_path):
    """``otel-callbacks demo`` runs with the wheel and its demo extra, and writes the files it names."""
    output = run(install("[demo]") / "otel-callbacks", "demo", "--out", tmp_path / "traces", cwd=tmp_path)
    written = [path.name for path in (tmp_path / "traces").glob("*.jsonl")]

    assert written
    assert "traces" in output


REGISTRIES = [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("crates", "io"), ("proxy.golang", "org")]
REGISTRIES += [("repo.maven", "apache"), ("maven", "org"), ("deb.debian", "org"), ("archive.ubuntu", "com")]
FOLDERS = ["home", "root", "Users", "work"]
PLACE = re.compile("|".join([*map(r"{0[0]}\.{0[1]}".format, REGISTRIES), *map(r"(?<![\w.}}])/{}/".format, FOLDERS)]))
"""A package registry or a folder of one machine, assembled so that this file does not name them."""


def repository_files():
    """Return every file that is in the repository or would be added to it."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [path for path in map(ROOT.joinpath, filter(None, listed)) if path.is_file()]


def test_no_file_names_a_registry_or_a_folder_of_one_machine():
    """Files work anywhere: package tools find their registry, and paths start at the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in repository_files()
        if b"\0" not in path.read_bytes()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if PLACE.search(line)
    ]

    assert found == []


@pytest.mark.parametrize("path", sorted((ROOT / "constraints").glob("*.txt")), ids=lambda path: path.name)
def test_constraints_are_exact_versions(path):
    """Every line of a constraints file is one package with one version, and at most the Pythons it is for."""
    exact = re.compile(r"[a-z0-9-]+==[\w.+!]+( ; .+)?")
    lines = path.read_text(encoding="utf-8").splitlines()

    assert lines
    assert [line for line in lines if not exact.fullmatch(line)] == []


def test_workflow_calls_the_gate_and_nothing_else():
    """The hosted run is a checkout and `.ci/run`, so whatever it finds can be found anywhere."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    [job] = workflow["jobs"].values()
    checkout, gate = job["steps"]

    assert re.fullmatch(r"actions/checkout@v\d+", checkout["uses"])
    assert gate == {"run": ".ci/run"}
    assert workflow["permissions"] == {"contents": "read"}


def test_pre_commit_runs_what_make_lint_runs():
    """The hooks are the commands of `make lint`, in the same environment and the same order."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    [local] = config["repos"]
    [recipe] = re.findall(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [
        command.strip().replace("$(BIN)", ".venv/bin") for command in recipe.splitlines()
    ]
