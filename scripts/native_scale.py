"""Run the tiers of deploy/scale without containers, from the shipped configuration, on loopback only.

usage: python scripts/native_scale.py [DIR]

Gateways, samplers, Kafka, Jaeger as ingester and as query, Cassandra, Prometheus and a second one as its long-term
store. Builds and fetches what is missing, prints the addresses and runs until Ctrl-C. Data stays in DIR (default: in
the user's cache). Needs go, Java 17 and Maven, 3 GB of memory and 10 GB of disk.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path

import native_build
import native_jars
from native_stack import (
    HOST,
    ROOT,
    Program,
    back_ends,
    free_ports,
    prometheus,
    prometheus_flags,
    replaced,
    serve,
    write_prometheus_config,
)

DEPLOY = ROOT / "deploy/scale"


@dataclasses.dataclass(frozen=True)
class Collector:
    """One collector of a tier, with its ports: OTLP over gRPC, OTLP over HTTP (gateways), its own metrics."""

    program: Program
    grpc: int
    http: int
    metrics: int


class ScaleStack:
    """All tiers, joined as docker-compose.scale.yml joins them.

    Args:
        folder: Where data, logs and adapted configuration go.
        environment: Variables for the samplers, such as ``OTELCOL_TAIL_WAIT``.
        interval: Of scrapes, rule evaluation and span metrics, such as "1s"; ``None`` leaves the shipped values.
        traces_in: Where traces are stored, ``cassandra`` or ``opensearch``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        interval: str | None = None,
        traces_in: str = "cassandra",
    ) -> None:
        self.folder = folder
        self._interval = interval
        self._traces_in = traces_in
        folder.mkdir(parents=True, exist_ok=True)
        self.kafka_port, self._controller, self.trace_store_port, self.ui, self.prometheus_port, self.store_port = (
            free_ports(6)
        )
        self.kafka = self._kafka()
        self.trace_store = {"cassandra": self._cassandra, "opensearch": self._opensearch}[traces_in]()
        self.ingester, self.ingester_metrics = self._jaeger("ingester")
        self.query, query_metrics = self._jaeger("query")
        self.samplers = [self._sampler(number, environment or {}) for number in (1, 2)]
        self.gateways = [self._gateway(number) for number in (1, 2)]
        targets = {
            "otel-collector": self.gateways[0].metrics,
            "otel-collector-2": self.gateways[1].metrics,
            "otel-sampler-1": self.samplers[0].metrics,
            "otel-sampler-2": self.samplers[1].metrics,
            "jaeger": query_metrics,
            "jaeger-ingester": self.ingester_metrics,
        }
        self.prometheus = self._prometheus(targets)
        self.long_term_store = self.remote_prometheus("long-term-store", self.store_port)

    @property
    def programs(self) -> list[Program]:
        """All programs, each after those that it sends to or reads from."""
        stores = [self.kafka, self.trace_store, self.long_term_store, self.prometheus]
        return [*stores, self.query, self.ingester, *(one.program for one in (*self.samplers, *self.gateways))]

    def __enter__(self) -> "ScaleStack":  # noqa: PYI034 (typing.Self is newer than Python 3.10)
        """Start all programs; stop them again if one does not start."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            for program in self.programs:
                program.start()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all programs."""
        self.stop()

    def stop(self) -> None:
        """Stop what runs, gateways first."""
        for program in reversed(self.programs):
            program.stop()

    def _kafka(self) -> Program:
        folder = self.folder / "kafka"
        folder.mkdir(exist_ok=True)
        config = folder / "kafka.properties"
        broker = f"PLAINTEXT://{HOST}:{self.kafka_port}"
        config.write_text(
            replaced(
                (DEPLOY / "kafka.properties").read_text(),
                {
                    "127.0.0.1:9093": f"{HOST}:{self._controller}",
                    "PLAINTEXT://:9092": broker,
                    "PLAINTEXT://kafka:9092": broker,
                    "/var/lib/kafka": str(folder),
                },
            )
        )
        native_jars.kafka_format(config)
        return Program(native_jars.kafka_command(config), {}, self.kafka_port, self.folder / "kafka.log")

    def _cassandra(self) -> Program:
        folder = self.folder / "cassandra"
        folder.mkdir(exist_ok=True)
        nodes, self.cassandra_jmx = free_ports(2)
        config = folder / "cassandra.yaml"
        config.write_text(
            replaced(
                (DEPLOY / "cassandra.yaml").read_text(),
                {
                    "7000": str(nodes),
                    "9042": str(self.trace_store_port),
                    "rpc_address: cassandra": f"rpc_address: {HOST}",
                    "/var/lib/cassandra": str(folder),
                },
            )
        )
        command = native_jars.cassandra_command(config, folder, self.cassandra_jmx)
        return Program(command, {}, self.trace_store_port, self.folder / "cassandra.log")

    def _opensearch(self) -> Program:
        (transport,) = free_ports(1)
        settings = {
            "path.home": str(self.folder / "opensearch"),
            "network.host": HOST,
            "http.port": str(self.trace_store_port),
            "transport.port": str(transport),
            "discovery.type": "single-node",
        }
        url = f"http://{HOST}:{self.trace_store_port}"
        return Program(native_jars.opensearch_command(settings), {}, url, self.folder / "opensearch.log")

    def _jaeger(self, role: str) -> tuple[Program, int]:
        """Return Jaeger in a role, and the port of its own metrics."""
        health, metrics, grpc = free_ports(3)
        environment = {
            "JAEGER_HEALTH_ENDPOINT": f"{HOST}:{health}",
            "JAEGER_METRICS_HOST": HOST,
            "JAEGER_METRICS_PORT": str(metrics),
            "JAEGER_UI_CONFIG": str(ROOT / "deploy/jaeger/ui.json"),
            "JAEGER_UI_ENDPOINT": f"{HOST}:{self.ui}",
            "JAEGER_GRPC_ENDPOINT": f"{HOST}:{grpc}",
            "PROMETHEUS_URL": f"http://{HOST}:{self.prometheus_port}",
            "KAFKA_BROKERS": f"[{HOST}:{self.kafka_port}]",
            "CASSANDRA_SERVERS": f"[{HOST}:{self.trace_store_port}]",
            "OPENSEARCH_URLS": f"[http://{HOST}:{self.trace_store_port}]",
        }
        command = [
            str(native_build.build("jaeger")["jaeger"]),
            f"--config={DEPLOY / f'jaeger-{role}.yaml'}",
            f"--config={DEPLOY / f'storage-{self._traces_in}.yaml'}",
        ]
        log = self.folder / f"jaeger-{role}.log"
        return Program(command, environment, f"http://{HOST}:{health}/status", log), metrics

    def _sampler(self, number: int, environment: Mapping[str, str]) -> Collector:
        brokers = {"KAFKA_BROKERS": f"[{HOST}:{self.kafka_port}]"}
        return self._collector(f"sampler-{number}", [DEPLOY / "sampler.yaml"], {**environment, **brokers})

    def _gateway(self, number: int) -> Collector:
        samplers = ", ".join(f"{HOST}:{sampler.grpc}" for sampler in self.samplers)
        environment = {
            "OTELCOL_SAMPLERS": f"[{samplers}]",
            "PROMETHEUS_URL": f"http://{HOST}:{self.prometheus_port}",
            **({"OTELCOL_SPAN_METRICS_INTERVAL": self._interval} if self._interval else {}),
        }
        configs = [ROOT / "deploy/collector/config.yaml", DEPLOY / "gateway.yaml"]
        return self._collector(f"gateway-{number}", configs, environment)

    def _collector(self, name: str, configs: list[Path], environment: Mapping[str, str]) -> Collector:
        grpc, http, health, metrics = free_ports(4)
        environment = {
            **environment,
            "OTELCOL_HTTP_ENDPOINT": f"{HOST}:{http}",
            "OTELCOL_GRPC_ENDPOINT": f"{HOST}:{grpc}",
            "OTELCOL_HEALTH_ENDPOINT": f"{HOST}:{health}",
            "OTELCOL_METRICS_HOST": HOST,
            "OTELCOL_METRICS_PORT": str(metrics),
            "OTELCOL_QUEUE_DIR": str(self.folder / f"{name}-queue"),
        }
        command = [str(native_build.build("scale-collector")["otelcol"]), *(f"--config={path}" for path in configs)]
        program = Program(command, environment, f"http://{HOST}:{health}", self.folder / f"{name}.log")
        return Collector(program, grpc, http, metrics)

    def _prometheus(self, targets: Mapping[str, int]) -> Program:
        addresses = {f"'{name}:8888'": f"'{HOST}:{port}'" for name, port in targets.items()}
        addresses["localhost:9090"] = f"{HOST}:{self.prometheus_port}"
        addresses["http://long-term-store:9090"] = f"http://{HOST}:{self.store_port}"
        shipped = replaced((DEPLOY / "prometheus.yml").read_text(), addresses)
        self.prometheus_config = write_prometheus_config(self.folder, shipped, self._interval)
        return self._labelled("prometheus", self.prometheus_port, self.prometheus_config, prometheus_flags())

    def remote_prometheus(self, name: str, port: int) -> Program:
        """Return a Prometheus that others write to."""
        flags = ["--web.enable-remote-write-receiver", "--enable-feature=exemplar-storage"]
        return self._labelled(name, port, DEPLOY / "long-term-store.yml", flags)

    def victoria_metrics(self, name: str, port: int) -> Program:
        """Return a VictoriaMetrics with one node."""
        command = [
            str(native_build.build("victoria-metrics")["victoria-metrics"]),
            f"-storageDataPath={self.folder / f'{name}-data'}",
            f"-httpListenAddr={HOST}:{port}",
        ]
        return Program(command, {}, f"http://{HOST}:{port}/health", self.folder / f"{name}.log")

    def _labelled(self, name: str, port: int, config: Path, flags: list[str]) -> Program:
        """Return a Prometheus with the variables that deploy/scale/prometheus.yml makes external labels of."""
        environment = {"CLUSTER_NAME": "native", "HOSTNAME": name}
        return prometheus(self.folder, name, port, config, flags, environment)


def _lines(stack: ScaleStack) -> list[str]:
    gateways = [f"OTLP         http://{HOST}:{one.http} (HTTP), {HOST}:{one.grpc} (gRPC)" for one in stack.gateways]
    return [*gateways, *back_ends(f"http://{HOST}:{stack.ui}", f"http://{HOST}:{stack.prometheus_port}")]


def main(arguments: list[str]) -> int:
    """Run all tiers until Ctrl-C."""
    folder = Path(arguments[0]) if arguments else native_build.cache_dir() / "scale"
    return serve(lambda: ScaleStack(folder), _lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
