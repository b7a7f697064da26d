"""The Kubernetes manifests as files: valid, without secrets, and everything they name is there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy/kubernetes/base"
EXAMPLE = ROOT / "deploy/kubernetes/overlays/example"
KUSTOMIZE = [["kustomize", "build"]] * bool(shutil.which("kustomize")) + [["kubectl", "kustomize"]] * bool(
    shutil.which("kubectl")
)
"""Commands of this machine that build a kustomization, without any cluster."""
WORKLOADS = {"Deployment", "StatefulSet"}
SECRETS = {"otel-gateway-tls", "otel-sampler-tls", "kafka-client", "cassandra-client", "prometheus-client"}
"""Secrets that users make before they deploy."""


def documents(folder: Path) -> list[dict]:
    """Return every object that a kustomization reads from its own files, without the patches of overlays."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    files = [folder / name for name in kustomization["resources"] if name.endswith(".yaml")]
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def generated(folder: Path) -> dict[str, set[str]]:
    """Return the keys of each config map that a kustomization generates, including the folders it reads."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    keys_by_map: dict[str, set[str]] = {}
    for name in kustomization.get("resources", ()):
        if not name.endswith(".yaml"):
            keys_by_map |= generated(folder / name)
    for entry in kustomization.get("configMapGenerator", ()):
        for file in entry.get("files", ()):
            assert (folder / file).is_file(), file
        keys = {Path(file).name for file in entry.get("files", ())}
        keys |= {literal.partition("=")[0] for literal in entry.get("literals", ())}
        keys_by_map[entry["name"]] = keys_by_map.get(entry["name"], set()) | keys
    return keys_by_map


OBJECTS = documents(BASE)
TIERS = {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] in WORKLOADS}
CONFIG_MAPS = generated(BASE)
each_tier = pytest.mark.parametrize("name", TIERS)


def objects(kind: str) -> dict[str, dict]:
    """Return the objects of one kind by name."""
    return {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == kind}


def pod(name: str) -> dict:
    """Return the pod template of a tier."""
    return TIERS[name]["spec"]["template"]["spec"]


def labels(name: str) -> dict[str, str]:
    """Return the labels of a tier's pods."""
    return TIERS[name]["spec"]["template"]["metadata"]["labels"]


def selects(selector: dict[str, str], name: str) -> bool:
    """Tell whether a selector matches the pods of a tier."""
    return selector.items() <= labels(name).items()


def config_files(name: str) -> dict[str, str]:
    """Return the config map of each file in a tier's folder of configuration."""
    [projected] = [volume["projected"] for volume in pod(name)["volumes"] if "projected" in volume]
    maps = [source["configMap"] for source in projected["sources"]]
    for one in maps:
        assert {item["key"] for item in one["items"]} <= CONFIG_MAPS[one["name"]]
    return {item["path"]: one["name"] for one in maps for item in one["items"]}


@pytest.mark.parametrize(
    "one", [*OBJECTS, *documents(EXAMPLE)], ids=lambda one: f"{one['kind']}-{one['metadata']['name']}"
)
def test_objects_follow_their_schemas(one):
    """The newest Kubernetes accepts every object, and knows each of its fields."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_a_wrong_field_is_found():
    """The validation rejects an unknown field."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    wrong = {**TIERS["otel-sampler"], "spec": {**TIERS["otel-sampler"]["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(not KUSTOMIZE, reason="needs kustomize or kubectl")
def test_kustomize_builds_the_example():
    """All references resolve, and lead into the example's namespace."""
    done = subprocess.run([*KUSTOMIZE[0], EXAMPLE], capture_output=True, text=True, check=True)
    built = list(yaml.safe_load_all(done.stdout))
    assert len(built) == len(OBJECTS) + len(documents(EXAMPLE)) + len(CONFIG_MAPS)
    assert {one["metadata"]["namespace"] for one in built if one["kind"] != "Namespace"} == {"telemetry"}


def test_the_tiers():
    """There are gateways, samplers, ingesters and query servers; those with a queue keep their names and volumes."""
    assert {name: tier["kind"] for name, tier in TIERS.items()} == {
        "otel-gateway": "StatefulSet", "otel-sampler": "StatefulSet",
        "jaeger-ingester": "Deployment", "jaeger-query": "Deployment",
    }  # fmt: skip
    for name, tier in TIERS.items():
        if tier["kind"] == "StatefulSet":
            assert [claim["metadata"]["name"] for claim in tier["spec"]["volumeClaimTemplates"]] == ["queue"]
            assert set(tier["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
            assert {"name": "queue", "mountPath": "/var/lib/otelcol"} in pod(name)["containers"][0]["volumeMounts"]
            assert objects("Service")[tier["spec"]["serviceName"]]["spec"]["clusterIP"] == "None", name


@each_tier
def test_containers_are_probed_and_bounded(name):
    """Every container has its probes on one of its own ports, and a memory limit."""
    for container in pod(name)["containers"]:
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] in ports
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


@each_tier
def test_containers_have_no_more_rights_than_needed(name):
    """No container runs as root, gains privileges, writes to its own files or can talk to Kubernetes."""
    assert pod(name)["automountServiceAccountToken"] is False
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    assert pod(name)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod(name)["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip


@each_tier
def test_images_are_those_of_the_compose_stack(name):
    """Both use the same release of each program, by a tag that does not move."""
    compose = (ROOT / "docker-compose.yml").read_text()
    for container in pod(name)["containers"]:
        assert f":-{container['image']}}}" in compose


@each_tier
def test_disruptions_take_one_pod_at_a_time(name):
    """Each tier has a disruption budget, and at least two pods to make use of it."""
    budgets = [one["spec"] for one in objects("PodDisruptionBudget").values()]
    [budget] = [one for one in budgets if selects(one["selector"]["matchLabels"], name)]
    assert budget["maxUnavailable"] == 1
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one["spec"] for one in objects("HorizontalPodAutoscaler").values()}
    least = scaled[name]["minReplicas"] if name in scaled else TIERS[name]["spec"]["replicas"]
    assert least >= 2


def test_only_gateways_are_autoscaled():
    """Only gateways are scaled automatically: a sampler more or less would split traces under way."""
    [autoscaler] = objects("HorizontalPodAutoscaler").values()
    target = autoscaler["spec"]["scaleTargetRef"]
    assert TIERS[target["name"]]["kind"] == target["kind"]
    assert target["name"] == "otel-gateway"
    assert "replicas" not in TIERS["otel-gateway"]["spec"]


@each_tier
def test_pods_leave_in_time(name):
    """The work before the end of a pod finishes before Kubernetes kills it."""
    for container in pod(name)["containers"]:
        sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert sleep < pod(name).get("terminationGracePeriodSeconds", 30)


@each_tier
def test_configuration_is_there(name):
    """Every file in a program's arguments comes from a config map that has it, and every mount has its volume."""
    [container] = pod(name)["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    claims = TIERS[name]["spec"].get("volumeClaimTemplates", ())
    assert mounts.keys() == {one["name"] for one in [*pod(name)["volumes"], *(c["metadata"] for c in claims)]}
    read = {argument.removeprefix(f"--config={mounts['config']}/") for argument in container["args"]}
    assert read == {file for file in config_files(name) if file.endswith(".yaml")}
    for source in container["envFrom"]:
        assert source["configMapRef"]["name"] in CONFIG_MAPS


@each_tier
def test_secrets_are_named_never_written(name):
    """Accounts come by `secretKeyRef` and certificates by volume, from secrets that users make."""
    [container] = pod(name)["containers"]
    for variable in container["env"]:
        if re.search(r"(?i)password|secret|token|user", variable["name"]):
            assert variable["valueFrom"]["secretKeyRef"]["name"] in SECRETS
    named = {volume["secret"]["secretName"] for volume in pod(name)["volumes"] if "secret" in volume}
    assert named
    assert named <= SECRETS


def test_nothing_secret_is_in_a_file():
    """No manifest holds a secret or a key, and every password in our files is read from the environment."""
    assert not objects("Secret")
    for file in (ROOT / "deploy/kubernetes").rglob("*.yaml"):
        text = file.read_text()
        assert "BEGIN" not in text
        assert set(re.findall(r"^\s*password:\s*(.+)$", text, re.MULTILINE)) <= {"${env:KAFKA_PASSWORD}"}


def test_documentation_lists_the_secrets():
    """The documentation names every secret that users must make."""
    text = (ROOT / "docs/scale.md").read_text()
    assert all(f"`{name}`" in text for name in SECRETS)


def test_tiers_talk_by_tls():
    """Between applications, gateways, samplers, Kafka, Cassandra and Prometheus everything is encrypted."""
    merged = {}
    for file in (BASE / "tls").glob("*.yaml"):
        merged[file.stem] = yaml.safe_load(file.read_text())
    gateway, sampler = merged["gateway-tls"], merged["sampler-tls"]
    for protocol in ("grpc", "http"):
        assert gateway["receivers"]["otlp"]["protocols"][protocol]["tls"]["cert_file"]
    to_samplers = gateway["exporters"]["load_balancing"]["protocol"]["otlp"]["tls"]
    assert to_samplers["insecure"] is False
    assert to_samplers["server_name_override"] in objects("Service")
    assert sampler["receivers"]["otlp"]["protocols"]["grpc"]["tls"]["client_ca_file"] == to_samplers["ca_file"]
    assert sampler["exporters"]["kafka"]["tls"]["ca_file"]
    assert merged["ingester-tls"]["receivers"]["kafka"]["tls"]["ca_file"]
    assert gateway["exporters"]["otlp_http/prometheus"]["tls"]["ca_file"]
    [metrics] = merged["query-tls"]["extensions"]["jaeger_storage"]["metric_backends"].values()
    assert metrics["prometheus"]["tls"]["ca_file"]
    for folder in (BASE, EXAMPLE):
        assert "http://" not in (folder / "kustomization.yaml").read_text()
    backends = merged["storage-tls"]["extensions"]["jaeger_storage"]["backends"]
    assert backends["traces"]["cassandra"]["connection"]["tls"]["insecure"] is False


@pytest.mark.parametrize("name", ["otel-gateway", "otel-sampler", "jaeger-ingester", "jaeger-query"])
def test_certificates_are_where_the_configuration_looks(name):
    """Every path to a certificate is in a volume of the same pod."""
    [container] = pod(name)["containers"]
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    for file, source in config_files(name).items():
        if source == "otel-tls":
            text = (BASE / "tls" / file).read_text()
            assert {str(Path(path).parent) for path in re.findall(r"_file: (\S+)", text)} <= mounts


@each_tier
def test_services_lead_to_ports_that_are_open(name):
    """Each service selects pods that have the port it sends to."""
    ports = {port["name"] for container in pod(name)["containers"] for port in container["ports"]}
    for service in objects("Service").values():
        if selects(service["spec"]["selector"], name):
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_every_service_has_its_pods():
    """Every service selects one tier, and the gateways look up samplers under the name of a service."""
    for service in objects("Service").values():
        assert sum(selects(service["spec"]["selector"], name) for name in TIERS) == 1
    [container] = pod("otel-gateway")["containers"]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert variables["OTELCOL_SAMPLER_DNS"] in objects("Service")


@each_tier
def test_network_policies_cover_each_tier(name):
    """Whatever no policy allows is closed in both directions, and each tier has its own policy."""
    policies = objects("NetworkPolicy")
    assert policies["nothing-else"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    own = policies[name]["spec"]
    assert selects(own["podSelector"]["matchLabels"], name)
    assert own["policyTypes"] == ["Ingress", "Egress"]
    ports = {port["containerPort"] for container in pod(name)["containers"] for port in container["ports"]}
    assert {port["port"] for rule in own.get("ingress", ()) for port in rule["ports"]} <= ports
    assert all(rule["from"] for rule in own.get("ingress", ()))


def test_gateways_and_samplers_may_talk():
    """The policies of both ends name each other."""
    policies = objects("NetworkPolicy")
    [out] = [rule for rule in policies["otel-gateway"]["spec"]["egress"] if "to" in rule]
    assert selects(out["to"][0]["podSelector"]["matchLabels"], "otel-sampler")
    [into] = policies["otel-sampler"]["spec"]["ingress"]
    assert selects(into["from"][0]["podSelector"]["matchLabels"], "otel-gateway")
    assert out["ports"] == into["ports"]


def test_the_example_changes_what_there_is():
    """Its addresses, replica counts and patches refer to names in the base."""
    kustomization = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    [addresses] = kustomization["configMapGenerator"]
    changed = {literal.partition("=")[0] for literal in addresses["literals"]}
    assert changed <= CONFIG_MAPS[addresses["name"]]
    assert {one["name"] for one in kustomization["replicas"]} <= TIERS.keys()
    for patch in kustomization["patches"]:
        document = yaml.safe_load((EXAMPLE / patch["path"]).read_text())
        tier = TIERS[document["metadata"]["name"]]
        assert tier["kind"] == document["kind"]
        settings = {variable["name"] for variable in document["spec"]["template"]["spec"]["containers"][0]["env"]}
        assert all(f"${{env:{name}:-" in (ROOT / "deploy/scale/sampler.yaml").read_text() for name in settings)
