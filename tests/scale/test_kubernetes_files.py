"""What the Kubernetes manifests add to the tiers' files, judged by the programs that read it."""

import re
import subprocess
from pathlib import Path

import native_build
import pytest

pytestmark = pytest.mark.scale

ROOT = Path(__file__).resolve().parents[2]
COLLECTOR, SCALE, TLS = ROOT / "deploy/collector", ROOT / "deploy/scale", ROOT / "deploy/kubernetes/base/tls"
GATEWAY = [COLLECTOR / "config.yaml", SCALE / "gateway.yaml"]
INGESTER = [SCALE / "jaeger-ingester.yaml", SCALE / "storage-cassandra.yaml"]
QUERY = [SCALE / "jaeger-query.yaml", SCALE / "storage-cassandra.yaml"]


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Make a folder with a certificate from its own authority."""
    files = ["-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=otel-sampler"]
    subprocess.run([*command, *files], capture_output=True, check=True)
    (tmp_path / "ca.crt").write_bytes((tmp_path / "tls.crt").read_bytes())
    return tmp_path


def validate(program: str, binary: str, *configs: Path) -> None:
    """Have a program read configuration files in turn; fail with its output."""
    command = [native_build.build(program)[binary], "validate", *(f"--config={config}" for config in configs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def on_this_machine(name: str, certificates: Path) -> Path:
    """Copy a file of the manifests so that it finds its certificates here instead of in a pod."""
    here = certificates / name
    here.write_text(re.sub(r"/etc/(tls|kafka|cassandra|prometheus)/", f"{certificates}/", (TLS / name).read_text()))
    return here


def test_programs_accept_the_settings_of_kubernetes(certificates, monkeypatch):
    """TLS, certificates and accounts of the manifests fit the files that they are read after."""
    monkeypatch.setenv("OTELCOL_QUEUE_DIR", str(certificates))
    monkeypatch.setenv("JAEGER_UI_CONFIG", str(ROOT / "deploy/jaeger/ui.json"))
    monkeypatch.setenv("KAFKA_USER", "somebody")
    monkeypatch.setenv("KAFKA_PASSWORD", "invented")
    gateway, sampler, ingester, storage, query = (
        on_this_machine(f"{name}-tls.yaml", certificates)
        for name in ("gateway", "sampler", "ingester", "storage", "query")
    )
    validate("scale-collector", "otelcol", *GATEWAY, SCALE / "gateway-dns.yaml", gateway)
    validate("scale-collector", "otelcol", SCALE / "sampler.yaml", sampler)
    validate("jaeger", "jaeger", *INGESTER, ingester, storage)
    validate("jaeger", "jaeger", *QUERY, storage, query)


def test_a_setting_that_does_not_exist_is_found(certificates):
    """The programs reject a wrong file."""
    wrong = certificates / "wrong.yaml"
    wrong.write_text("exporters: {load_balancing: {protocol: {otlp: {tls: {insekure: true}}}}}\n")
    with pytest.raises(AssertionError, match="insekure"):
        validate("scale-collector", "otelcol", *GATEWAY, wrong)
