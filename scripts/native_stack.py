"""Run the stack's own programs without containers, from the shipped configuration, on loopback only.

usage: python scripts/native_stack.py [DIR]

Builds what is missing, prints the addresses and runs until Ctrl-C. Data stays in DIR (default: in the user's cache).
There is no Grafana: its program cannot be built this way.
"""

import contextlib
import dataclasses
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import native_build

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
Stack = TypeVar("Stack")
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_POLL_S = 0.1
# Below the ports of outgoing connections: one of those could take a port before its program starts.
_PORTS = range(20_000, 32_000)
_untried_ports = iter(random.sample(_PORTS, len(_PORTS)))


@dataclasses.dataclass(frozen=True)
class Ports:
    """TCP ports on loopback; the defaults are those that docker-compose.yml publishes, if any."""

    otlp_grpc: int = 4317
    otlp_http: int = 4318
    collector_health: int = 13133
    collector_metrics: int = 18888
    jaeger_ui: int = 16686
    jaeger_grpc: int = 16685
    jaeger_otlp: int = 14317
    jaeger_health: int = 13134
    jaeger_metrics: int = 18889
    prometheus: int = 9090

    @classmethod
    def free(cls) -> "Ports":
        """Return ports that nothing listens on right now."""
        return cls(*free_ports(len(dataclasses.fields(cls))))


def free_ports(count: int) -> list[int]:
    """Return TCP ports that nothing listens on right now; never the same one twice."""
    return list(itertools.islice(filter(_is_free, _untried_ports), count))


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket() as listener:
        listener.bind((HOST, port))
        return True
    return False


class Program:
    """One program of the stack.

    Args:
        command: The command line.
        environment: Variables on top of this process's own.
        ready: The address that answers, or the port on loopback that accepts connections, once it runs.
        log: The file for everything it prints.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], ready: str | int, log: Path) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._ready = ready
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: It ended, or did not answer in time; with the end of its log.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        if not wait_until(lambda: self._answers() or not self.is_running(), _START_TIMEOUT_S) or not self.is_running():
            self.stop()
            end = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise RuntimeError(f"{self._command[0]} did not start:\n{end}")

    def is_running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask it to end, and wait; kill it if it does not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _answers(self) -> bool:
        try:
            if isinstance(self._ready, int):
                socket.create_connection((HOST, self._ready), timeout=2).close()
                return True
            with urllib.request.urlopen(self._ready, timeout=2):  # noqa: S310 (loopback HTTP)
                return True
        except OSError:
            return False


def wait_until(condition: Callable[[], object], timeout_s: float) -> bool:
    """Poll until the condition holds; return false if it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True


class NativeStack:
    """Prometheus, Jaeger and the collector, joined as docker-compose.yml joins them.

    Args:
        folder: Where data, logs and the adapted Prometheus configuration go.
        ports: Where they listen.
        sampling: Name of a file in deploy/collector/sampling.
        interval: Of scrapes, rule evaluation and span metrics, such as "1s"; ``None`` leaves the shipped values.
    """

    def __init__(self, folder: Path, ports: Ports, *, sampling: str = "all", interval: str | None = None) -> None:
        self.folder = folder
        self.ports = ports
        folder.mkdir(parents=True, exist_ok=True)
        self.prometheus = self._prometheus(interval)
        self.jaeger = self._jaeger()
        self.collector = self._collector(sampling, interval)

    def __enter__(self) -> "NativeStack":  # noqa: PYI034 (typing.Self is newer than Python 3.10)
        """Start all programs, back ends first; stop them again if one does not start."""
        with contextlib.ExitStack() as undo:
            for program in (self.prometheus, self.jaeger, self.collector):
                undo.callback(program.stop)
                program.start()
            self._stop_all = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all programs, the collector first."""
        self._stop_all.close()

    def url(self, port: int) -> str:
        """Return the base address of a port."""
        return f"http://{HOST}:{port}"

    def _prometheus(self, interval: str | None) -> Program:
        targets = {
            "localhost:9090": self.ports.prometheus,
            "otel-collector:8888": self.ports.collector_metrics,
            "jaeger:8888": self.ports.jaeger_metrics,
        }
        addresses = {f"'{shipped}'": f"'{HOST}:{port}'" for shipped, port in targets.items()}
        config = replaced((ROOT / "deploy/prometheus/prometheus.yml").read_text(), addresses)
        path = write_prometheus_config(self.folder, config, interval)
        return prometheus(self.folder, "prometheus", self.ports.prometheus, path, prometheus_flags())

    def _jaeger(self) -> Program:
        ports = self.ports
        environment = {
            "JAEGER_HEALTH_ENDPOINT": f"{HOST}:{ports.jaeger_health}",
            "JAEGER_DATA_DIR": str(self.folder / "jaeger-data"),
            "JAEGER_UI_CONFIG": str(ROOT / "deploy/jaeger/ui.json"),
            "JAEGER_UI_ENDPOINT": f"{HOST}:{ports.jaeger_ui}",
            "JAEGER_GRPC_ENDPOINT": f"{HOST}:{ports.jaeger_grpc}",
            "JAEGER_OTLP_LISTEN": f"{HOST}:{ports.jaeger_otlp}",
            "JAEGER_METRICS_HOST": HOST,
            "JAEGER_METRICS_PORT": str(ports.jaeger_metrics),
            "PROMETHEUS_URL": self.url(ports.prometheus),
        }
        command = [str(native_build.build("jaeger")["jaeger"]), f"--config={ROOT / 'deploy/jaeger/config.yaml'}"]
        return Program(command, environment, self.url(ports.jaeger_health) + "/status", self.folder / "jaeger.log")

    def _collector(self, sampling: str, interval: str | None) -> Program:
        ports = self.ports
        environment = {
            "OTELCOL_GRPC_ENDPOINT": f"{HOST}:{ports.otlp_grpc}",
            "OTELCOL_HTTP_ENDPOINT": f"{HOST}:{ports.otlp_http}",
            "OTELCOL_HEALTH_ENDPOINT": f"{HOST}:{ports.collector_health}",
            "OTELCOL_METRICS_HOST": HOST,
            "OTELCOL_METRICS_PORT": str(ports.collector_metrics),
            "OTELCOL_QUEUE_DIR": str(self.folder / "collector-queue"),
            "JAEGER_OTLP_ENDPOINT": f"{HOST}:{ports.jaeger_otlp}",
            "PROMETHEUS_URL": self.url(ports.prometheus),
            **({"OTELCOL_SPAN_METRICS_INTERVAL": interval} if interval else {}),
        }
        deploy = ROOT / "deploy/collector"
        command = [
            str(native_build.build("collector")["otelcol"]),
            f"--config={deploy / 'config.yaml'}",
            f"--config={deploy / 'sampling' / sampling}.yaml",
        ]
        return Program(command, environment, self.url(ports.collector_health), self.folder / "collector.log")


def write_prometheus_config(folder: Path, config: str, interval: str | None) -> Path:
    """Write a configuration of Prometheus beside the shipped rules, and return its path.

    Args:
        folder: The folder of the stack.
        config: The text of the configuration.
        interval: Of scrapes and rule evaluation, such as "1s"; ``None`` leaves the shipped values.
    """
    path = folder / "prometheus/prometheus.yml"
    rules_folder = path.parent / "rules"
    rules_folder.mkdir(parents=True, exist_ok=True)
    path.write_text(every(interval, config))
    for rules in (ROOT / "dashboards/rules").glob("*.yml"):
        (rules_folder / rules.name).write_text(every(interval, rules.read_text()))
    return path


def prometheus(
    folder: Path, name: str, port: int, config: Path, flags: list[str], environment: Mapping[str, str] | None = None
) -> Program:
    """Return a Prometheus that keeps its data and its log in `folder` under `name`."""
    command = [
        str(native_build.build("prometheus")["prometheus"]),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / f'{name}-data'}",
        f"--web.listen-address={HOST}:{port}",
        *flags,
    ]
    return Program(command, environment or {}, f"http://{HOST}:{port}/-/ready", folder / f"{name}.log")


def prometheus_flags() -> list[str]:
    """Return Prometheus' switches in docker-compose.yml, without those that depend on a place or a size."""
    compose = (ROOT / "docker-compose.yml").read_text()
    return re.findall(r"^ +- (--(?:web\.enable|enable-feature)\S*)$", compose, re.MULTILINE)


def replaced(config: str, values: Mapping[str, str]) -> str:
    """Return a configuration with other values.

    Raises:
        KeyError: It has no such value.
    """
    for shipped, value in values.items():
        if shipped not in config:
            raise KeyError(shipped)
        config = config.replace(shipped, value)
    return config


def every(interval: str | None, config: str) -> str:
    """Return a configuration of Prometheus with this interval of scrapes and evaluations, unless it is ``None``."""
    if interval is None:
        return config
    return re.sub(r"^( *(?:\w+_)?interval:) \w+$", rf"\1 {interval}", config, flags=re.MULTILINE)


def serve(start: Callable[[], contextlib.AbstractContextManager[Stack]], lines: Callable[[Stack], list[str]]) -> int:
    """Run a stack until Ctrl-C, and return the exit code. `lines`: what to print once it runs."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with start() as stack:
            print(*lines(stack), "Ctrl-C ends it.", sep="\n", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        pass
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def back_ends(jaeger: str, prometheus: str) -> list[str]:
    """Return the lines about the programs that answer queries."""
    return [
        f"Jaeger       {jaeger} (API; this build has no pages)",
        f"Prometheus   {prometheus} (API; this build has no pages)",
    ]


def _lines(stack: NativeStack) -> list[str]:
    ports = stack.ports
    otlp = f"OTLP         {stack.url(ports.otlp_http)} (HTTP), {HOST}:{ports.otlp_grpc} (gRPC)"
    return [otlp, *back_ends(stack.url(ports.jaeger_ui), stack.url(ports.prometheus))]


def main(arguments: list[str]) -> int:
    """Run the stack until Ctrl-C."""
    folder = Path(arguments[0]) if arguments else native_build.cache_dir() / "stack"
    return serve(lambda: NativeStack(folder, Ports()), _lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
