"""Stand-ins for what docker-compose.scale.yml adds: Kafka and Cassandra, on the Java of this machine."""

import re
import shutil
from pathlib import Path

import native_jars
from docker_engine import run
from stand_ins import StandIn, one_machine

_JAVA_HOME = "opt/java/openjdk"
# Parts of the C library that native code in jars needs.
_OLD_NAMES = ("libdl.so.2", "libpthread.so.0", "librt.so.1")


def tiers() -> list[StandIn]:
    """Return the stand-ins for docker-compose.yml and docker-compose.scale.yml together."""
    java = _java()
    return [*one_machine("scale-collector"), _kafka(java), _cassandra(java)]


def _java() -> dict[str, Path]:
    """Return a Java runtime, bash and the libraries of both, by path in the image."""
    java, bash = (shutil.which(name) for name in ("java", "bash"))
    if java is None or bash is None:
        raise RuntimeError("stand-in images of Kafka and Cassandra need Java 17 and bash")
    home = Path(java).resolve().parents[1]
    runtime = {f"{_JAVA_HOME}/{folder}": home / folder for folder in ("bin", "conf", "lib")}
    libraries = _libraries([Path(bash), home / "bin/java", *home.glob("lib/**/*.so")])
    outside = {str(path.relative_to("/")): path for path in libraries if home not in path.parents}
    return {**runtime, **outside, "bin/bash": Path(bash)}


def _libraries(programs: list[Path]) -> set[Path]:
    linked = run("ldd", *(str(program) for program in programs)).stdout
    libraries = {Path(path) for path in re.findall(r"(/\S+) \(0x", linked)}
    (libc,) = (path for path in libraries if path.name == "libc.so.6")
    return libraries | {libc.with_name(name) for name in _OLD_NAMES}


def _kafka(java: dict[str, Path]) -> StandIn:
    script = f"#!/bin/bash\nexec /{_JAVA_HOME}/bin/java $KAFKA_HEAP_OPTS -cp '/opt/kafka/libs/*' %s \"$@\"\n"
    return StandIn(
        "KAFKA_IMAGE",
        {**java, "opt/kafka/libs": native_jars.jars("kafka")},
        ("USER appuser", 'VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]'),
        {
            "opt/kafka/bin/kafka-storage.sh": script % "kafka.tools.StorageTool",
            "opt/kafka/bin/kafka-server-start.sh": script % "kafka.Kafka",
        },
    )


def _cassandra(java: dict[str, Path]) -> StandIn:
    jars = native_jars.jars("cassandra")
    agent = next(jars.glob("jamm-*.jar")).name
    settings = {
        "cassandra-foreground": "yes",
        "cassandra.jmx.local.port": "7199",
        "cassandra.storagedir": "/opt/cassandra/data",
        "logback.configurationFile": "/etc/cassandra/logback.xml",
    }
    options = [
        *(f"-javaagent:/opt/cassandra/lib/{agent}", "-Xlog:gc:file=$CASSANDRA_LOG_DIR/gc.log", *native_jars.REACH),
        *(f"-D{name}={value}" for name, value in settings.items()),
    ]
    command = [f"/{_JAVA_HOME}/bin/java", *options, "$JVM_EXTRA_OPTS", "-cp '/opt/cassandra/lib/*'"]
    command.append("org.apache.cassandra.service.CassandraDaemon")
    script = f"#!/bin/sh\n/bin/busybox mkdir -p $CASSANDRA_LOG_DIR\nexec {' '.join(command)}\n"
    return StandIn(
        "CASSANDRA_IMAGE",
        {**java, "opt/cassandra/lib": jars},
        ("ENV PATH=/opt/cassandra/bin:/usr/bin:/bin", "VOLUME /var/lib/cassandra"),
        {"opt/cassandra/bin/cassandra": script, "etc/cassandra/logback.xml": native_jars.LOGBACK},
    )
