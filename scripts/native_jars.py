"""Fetch Kafka, Cassandra and OpenSearch as Java packages, for machines with Java 17, Maven and no images.

usage: python scripts/native_jars.py [kafka|cassandra|opensearch]...

Prints one line ``NAME FOLDER`` per program. Maven fetches from the repository it is set up for; results are kept beside
those of `native_build`, one folder per version, so a second call returns at once.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import native_build

PACKAGES = {
    "kafka": {"org.apache.kafka:kafka_2.13": "4.1.0", "org.apache.kafka:kafka-tools": "4.1.0"},
    "cassandra": {"org.apache.cassandra:cassandra-all": "5.0.5"},
    # The last release that runs on Java 17; it needs the logging library and does not require it.
    "opensearch": {
        "org.opensearch:opensearch": "2.19.6",
        "org.opensearch.plugin:transport-netty4-client": "2.19.6",
        "org.apache.logging.log4j:log4j-core": "2.25.4",
    },
}

# The parts of Java 17 that Cassandra needs although they are closed to libraries, by module.
_EXPORTS = {
    "java.base": ("jdk.internal.misc", "jdk.internal.ref", "sun.nio.ch", "java.lang.ref"),
    "java.management.rmi": ("com.sun.jmx.remote.internal.rmi",),
    "java.rmi": ("sun.rmi.registry", "sun.rmi.server", "sun.rmi.transport", "sun.rmi.transport.tcp"),
    "java.sql": ("java.sql",),
    "jdk.attach": ("sun.tools.attach",),
    "jdk.unsupported": ("sun.misc",),
}
_OPENS = {
    "java.base": (
        *("java.io", "java.lang", "java.lang.module", "java.lang.reflect", "java.net", "java.nio", "java.util"),
        *("java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch"),
        *(f"jdk.internal.{name}" for name in ("loader", "math", "module", "ref", "reflect", "util.jar")),
    ),
    "java.management": ("com.sun.jmx.remote.security",),
    "jdk.management": ("com.sun.management.internal",),
}
REACH = [
    f"--add-{what}={module}/{package}=ALL-UNNAMED"
    for what, packages in (("exports", _EXPORTS), ("opens", _OPENS))
    for module, names in packages.items()
    for package in names
]

LOGBACK = """<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{20} %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="console"/></root>
</configuration>
"""


def jars(name: str) -> Path:
    """Return the folder of a program's jars, after Maven has fetched them if necessary.

    Raises:
        RuntimeError: There is no Maven, or it failed; with the end of its output.
    """
    packages = PACKAGES[name]
    done = native_build.cache_dir() / "native" / "-".join([name, *sorted(set(packages.values()))])
    if not done.is_dir():
        done.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=done.parent) as folder:
            _fetch(Path(folder), packages)
            if not done.is_dir():
                (Path(folder) / "jars").rename(done)
    return done


def kafka_command(config: Path) -> list[str]:
    """Return the command that runs one broker."""
    return [*_java("kafka", "-Xms128m", "-Xmx256m"), "kafka.Kafka", str(config)]


def kafka_format(config: Path) -> None:
    """Prepare a broker's data folder, unless it is ready.

    Raises:
        RuntimeError: It cannot be prepared; with Kafka's output.
    """
    tool = [*_java("kafka", "-Xmx128m"), "kafka.tools.StorageTool"]
    cluster = _run([*tool, "random-uuid"]).split()[-1]
    _run([*tool, "format", "--ignore-formatted", "-t", cluster, "-c", str(config)])


def cassandra_command(config: Path, folder: Path, jmx_port: int) -> list[str]:
    """Return the command that runs one node with its own files in `folder`, without waiting for others."""
    logback = folder / "logback.xml"
    logback.write_text(LOGBACK)
    settings = {
        "jdk.attach.allowAttachSelf": "true",
        "cassandra.config": f"file://{config}",
        "cassandra.storagedir": str(folder),
        "cassandra.jmx.local.port": str(jmx_port),
        "cassandra.skip_wait_for_gossip_to_settle": "0",
        "cassandra.ring_delay_ms": "100",
        "logback.configurationFile": str(logback),
    }
    agent = next(jars("cassandra").glob("jamm-*.jar"))
    options = [
        *("-Xms512m", "-Xmx768m", f"-javaagent:{agent}"),
        *REACH,
        *(f"-D{name}={value}" for name, value in settings.items()),
    ]
    return [*_java("cassandra", *options), "org.apache.cassandra.service.CassandraDaemon"]


def cassandra_flush(jmx_port: int) -> None:
    """Have a node write what it holds in memory to its tables.

    Raises:
        RuntimeError: It fails; with the tool's output.
    """
    # The tool would keep its history in the user's home.
    options = ["-Xmx128m", f"-Duser.home={tempfile.gettempdir()}", *REACH]
    _run([*_java("cassandra", *options), "org.apache.cassandra.tools.NodeTool", "-p", str(jmx_port), "flush"])


def opensearch_command(settings: Mapping[str, str]) -> list[str]:
    """Return the command that runs one node."""
    options = ("-Xms512m", "-Xmx512m", "-Dlog4j2.level=INFO")
    node = Path(__file__).with_name("OpenSearchNode.java")
    return [*_java("opensearch", *options), str(node), *(f"{name}={value}" for name, value in settings.items())]


def _java(name: str, *options: str) -> list[str]:
    # The serial collector: on a machine with few cores the threads of the others get in the way.
    return ["java", "-XX:+UseSerialGC", *options, "-cp", f"{jars(name)}/*"]


def _fetch(folder: Path, packages: Mapping[str, str]) -> None:
    if shutil.which("mvn") is None:
        raise RuntimeError("No Maven found: install it with Java 17, or use the container images.")
    dependencies = "".join(
        "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>".format(
            *package.split(":"), version
        )
        for package, version in packages.items()
    )
    (folder / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>native.invalid</groupId><artifactId>stack</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]
    _run(["mvn", "--quiet", "--batch-mode", *goal], folder)


def _run(command: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise RuntimeError(f"{command[0]} failed:\n{end}")
    return done.stdout


def main(names: list[str]) -> int:
    """Fetch the named programs, by default all, and print where the jars are."""
    return native_build.show((name, jars(name)) for name in names or PACKAGES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
