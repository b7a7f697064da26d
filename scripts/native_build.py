"""Build the stack's programs from their Go modules, for machines with a Go toolchain and no container images.

usage: python scripts/native_build.py [NAME]...

NAME is one of ``PROGRAMS``. Prints one line ``BINARY PATH`` per program. Results are kept in
``$XDG_CACHE_HOME/otel-callbacks/native`` (default ``~/.cache``), one folder per recipe, so a second call returns at
once. ``JOBS`` sets parallel compile jobs (default 2). Go verifies every module against the checksum database and, where
it has one, the program's own ``go.sum``.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CORE = "go.opentelemetry.io/collector"
CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"
COLLECTOR_VERSION = "v0.161.0"
COLLECTOR_STABLE_VERSION = "v1.67.0"  # the stable core modules of the same release

Components = Mapping[str, tuple[str, ...]]
"""Modules by kind of component."""

# What the shipped configuration uses, by kind, and the receiver for the files that `otel_callbacks.files` writes; the
# contrib distribution contains all of it and more.
COLLECTOR_COMPONENTS: Components = {
    "receiver": (f"{CORE}/receiver/otlpreceiver", f"{CONTRIB}/receiver/otlpjsonfilereceiver"),
    "processor": (
        f"{CORE}/processor/batchprocessor",
        f"{CORE}/processor/memorylimiterprocessor",
        f"{CONTRIB}/processor/redactionprocessor",
        f"{CONTRIB}/processor/tailsamplingprocessor",
        f"{CONTRIB}/processor/transformprocessor",
    ),
    "exporter": (
        f"{CORE}/exporter/debugexporter",
        f"{CORE}/exporter/otlpexporter",
        f"{CORE}/exporter/otlphttpexporter",
    ),
    "connector": (f"{CORE}/connector/forwardconnector", f"{CONTRIB}/connector/spanmetricsconnector"),
    "extension": (f"{CONTRIB}/extension/healthcheckextension", f"{CONTRIB}/extension/storage/filestorage"),
}
# What deploy/scale needs beside that: a second program, so that the first stays small and free of replaced modules.
SCALE_COMPONENTS: Components = {
    **COLLECTOR_COMPONENTS,
    "exporter": (
        *COLLECTOR_COMPONENTS["exporter"],
        f"{CONTRIB}/exporter/kafkaexporter",
        f"{CONTRIB}/exporter/loadbalancingexporter",
    ),
}
# Releases without their own Go module take the last one that has it.
COLLECTOR_OTHER_VERSIONS = {
    f"{CONTRIB}/receiver/otlpjsonfilereceiver": "v0.158.0",
    f"{CONTRIB}/exporter/kafkaexporter": "v0.155.0",
}
# Only the exporter's AWS resolver needs this client, and asks for a version that does not exist.
SCALE_REPLACED = {"github.com/aws/aws-sdk-go-v2/service/servicediscovery": "v1.40.2"}
COLLECTOR_PROVIDERS = tuple(f"{CORE}/confmap/provider/{name}" for name in ("envprovider", "fileprovider"))


@dataclass(frozen=True)
class Program:
    """How one Go module becomes binaries: required modules, packages by binary name, and link-time variables."""

    modules: Mapping[str, str]
    packages: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    tags: str = ""
    main: str = ""
    """Source of the main package, if the module has none."""
    replaced: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Versions of modules to take whatever others require."""

    def recipe(self) -> str:
        """Return a short name for everything that decides what the binaries are."""
        # The representation leaves out `replaced`, so that programs without replacements keep their names, and builds.
        text = f"{self!r}{self.replaced or ''}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _collector_main(components: Components) -> str:
    """Return the source of a collector with these components and nothing else."""
    packages = [f"{CORE}/{name}" for name in (*components, "component", "confmap", "otelcol")]
    packages += [f"{CORE}/service/telemetry/otelconftelemetry", *COLLECTOR_PROVIDERS]
    packages += _modules(components)
    imports = "\n".join(f'\t"{package}"' for package in packages)
    factories = "\n".join(_factory_map(kind, modules) for kind, modules in components.items())
    providers = ", ".join(f"{_package(provider)}.NewFactory()" for provider in COLLECTOR_PROVIDERS)
    return f"""package main

import (
\t"log"
{imports}
)

func factories() (f otelcol.Factories, err error) {{
\tf.Telemetry = otelconftelemetry.NewFactory()
{factories}
\treturn f, nil
}}

func main() {{
\tresolver := confmap.ResolverSettings{{
\t\tProviderFactories: []confmap.ProviderFactory{{{providers}}},
\t\tDefaultScheme:     "env",
\t}}
\tcommand := otelcol.NewCommand(otelcol.CollectorSettings{{
\t\tBuildInfo:              component.BuildInfo{{Command: "otelcol", Version: "{COLLECTOR_VERSION[1:]}"}},
\t\tFactories:              factories,
\t\tConfigProviderSettings: otelcol.ConfigProviderSettings{{ResolverSettings: resolver}},
\t}})
\tif err := command.Execute(); err != nil {{
\t\tlog.Fatal(err)
\t}}
}}
"""


def _factory_map(kind: str, modules: tuple[str, ...]) -> str:
    calls = ", ".join(f"{_package(module)}.NewFactory()" for module in modules)
    make = f"otelcol.MakeFactoryMap[{kind}.Factory]({calls})"
    return f"\tif f.{kind.title()}s, err = {make}; err != nil {{\n\t\treturn f, err\n\t}}"


def _package(module: str) -> str:
    return module.rpartition("/")[2]


def _modules(components: Components) -> list[str]:
    return [module for modules in components.values() for module in modules]


def _collector(components: Components, replaced: Mapping[str, str] | None = None) -> Program:
    unstable = [*_modules(components), f"{CORE}/otelcol", f"{CORE}/service"]
    stable = [f"{CORE}/component", f"{CORE}/confmap", *COLLECTOR_PROVIDERS]
    versions = dict.fromkeys(unstable, COLLECTOR_VERSION) | dict.fromkeys(stable, COLLECTOR_STABLE_VERSION)
    versions |= {module: version for module, version in COLLECTOR_OTHER_VERSIONS.items() if module in versions}
    return Program(versions, {"otelcol": "."}, main=_collector_main(components), replaced=replaced or {})


JAEGER = "github.com/jaegertracing/jaeger"
PROMETHEUS = "github.com/prometheus/prometheus"
COMPOSE = "github.com/docker/compose/v2"
VICTORIA_METRICS = "github.com/VictoriaMetrics/VictoriaMetrics"

PROGRAMS = {
    # Without the service discoveries that need a cloud's client library: less to fetch and to compile.
    "prometheus": Program(
        modules={PROMETHEUS: "v0.315.0"},
        packages={name: f"{PROMETHEUS}/cmd/{name}" for name in ("prometheus", "promtool")},
        variables={"github.com/prometheus/common/version.Version": "3.15.0"},
        tags="remove_all_sd",
    ),
    "collector": _collector(COLLECTOR_COMPONENTS),
    "scale-collector": _collector(SCALE_COMPONENTS, SCALE_REPLACED),
    # The newest version that a Go module carries; its number is 1.76.0 for the same release as Jaeger 2.13.0.
    "jaeger": Program(
        modules={JAEGER: "v1.76.0"},
        packages={"jaeger": f"{JAEGER}/cmd/jaeger"},
        variables={f"{JAEGER}/internal/version.latestVersion": "v2.13.0"},
    ),
    # Deletes old indices of Jaeger from OpenSearch, which Jaeger itself does not.
    "jaeger-index-cleaner": Program(
        modules={JAEGER: "v1.76.0"},
        packages={"jaeger-es-index-cleaner": f"{JAEGER}/cmd/es-index-cleaner"},
    ),
    # The last Compose that speaks to Docker engines older than API 1.44.
    "compose": Program(
        modules={COMPOSE: "v2.40.3"},
        packages={"docker-compose": f"{COMPOSE}/cmd"},
        variables={f"{COMPOSE}/internal.Version": "v2.40.3"},
    ),
    # A store that Prometheus writes to; only the tests of the tiers use it.
    "victoria-metrics": Program(
        modules={VICTORIA_METRICS: "v1.151.0"},
        packages={"victoria-metrics": f"{VICTORIA_METRICS}/app/victoria-metrics"},
        variables={f"{VICTORIA_METRICS}/lib/buildinfo.Version": "victoria-metrics-v1.151.0"},
    ),
}
DEFAULT_PROGRAMS = ("prometheus", "jaeger", "collector")

_DOWNLOAD_TRIES = 3
_TIMED_OUT = re.compile(
    r"time(d )?out|connection (reset|refused)|unexpected EOF|TLS handshake|50[0234] ", re.IGNORECASE
)


def cache_dir() -> Path:
    """Return the folder for everything built or kept between runs, outside any checkout."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-callbacks"


def build(name: str) -> dict[str, Path]:
    """Return the paths of the binaries of ``PROGRAMS[name]`` by binary name, after building them if necessary."""
    program = PROGRAMS[name]
    done = cache_dir() / "native" / f"{name}-{program.recipe()}"
    if not done.is_dir():
        _build_into(done, name, program)
    return {binary: done / binary for binary in program.packages}


def _build_into(done: Path, name: str, program: Program) -> None:
    started = time.monotonic()
    print(f"building {name} from its Go modules; this takes minutes", file=sys.stderr, flush=True)
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent) as folder:
        source = Path(folder)
        _write_module(source, program)
        _download(source, program)
        for binary, package in program.packages.items():
            _go(source, "build", *_flags(program), "-o", f"out/{binary}", package)
        if not done.is_dir():
            (source / "out").rename(done)
    print(f"built {name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _write_module(source: Path, program: Program) -> None:
    """Write a throw-away main module, since `go install` refuses programs whose go.mod replaces a dependency."""
    requires = "\n".join(f"\t{module} {version}" for module, version in program.modules.items())
    replaces = "".join(f"\nreplace {module} => {module} {version}\n" for module, version in program.replaced.items())
    (source / "go.mod").write_text(f"module native.invalid/stack\n\ngo 1.25\n\nrequire (\n{requires}\n)\n{replaces}")
    if program.main:
        (source / "main.go").write_text(program.main)


def _download(source: Path, program: Program) -> None:
    if not program.main:
        module, version = next(iter(program.modules.items()))
        _go_with_retry(source, "mod", "download", f"{module}@{version}")
        upstream = Path(_go(source, "list", "-m", "-f", "{{.Dir}}", module).strip())
        with (source / "go.sum").open("a") as sums:
            sums.write((upstream / "go.sum").read_text())
    tags = [f"-tags={program.tags}"] if program.tags else []
    _go_with_retry(source, "list", "-deps", *tags, *program.packages.values())


def _flags(program: Program) -> list[str]:
    variables = "".join(f" -X {name}={value}" for name, value in program.variables.items())
    return [f"-ldflags=-s -w{variables}", f"-tags={program.tags}", f"-p={os.environ.get('JOBS', '2')}"]


def _go_with_retry(source: Path, *arguments: str) -> None:
    for attempt in range(1, _DOWNLOAD_TRIES + 1):
        try:
            _go(source, *arguments)
        except subprocess.CalledProcessError as error:
            if attempt == _DOWNLOAD_TRIES or not _TIMED_OUT.search(error.stderr):
                raise
        else:
            return


def _go(source: Path, *arguments: str) -> str:
    flags = "-mod=mod -buildvcs=false -trimpath"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": flags}
    command = ["nice", "-n", "10", _go_tool(), *arguments]
    result = subprocess.run(command, cwd=source, env=environment, text=True, capture_output=True, check=False)
    if result.returncode:
        sys.stderr.write(result.stderr)
        raise subprocess.CalledProcessError(result.returncode, command, result.stdout, result.stderr)
    return result.stdout


def _go_tool() -> str:
    tool = shutil.which("go")
    if tool is None:
        raise RuntimeError("No Go toolchain found: install Go 1.25 or newer, or use the stack's container images.")
    return tool


def main(names: list[str]) -> int:
    """Build the named programs, by default the stack's own, and print where the binaries are."""
    return show(place for name in names or DEFAULT_PROGRAMS for place in build(name).items())


def show(places: Iterable[tuple[str, Path]]) -> int:
    """Print a line ``NAME PATH`` for each place as soon as it is there, and return the exit code."""
    try:
        for name, path in places:
            print(name, path, flush=True)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
