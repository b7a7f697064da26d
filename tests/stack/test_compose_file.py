"""The compose files and Grafana's provisioning as files: safe by default, consistent, everything they name is there."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
SCALE = yaml.safe_load((ROOT / "docker-compose.scale.yml").read_text())
ADDED = {name: service for name, service in SCALE["services"].items() if name not in SERVICES}
CHANGED = {name: service for name, service in SCALE["services"].items() if name in SERVICES}
LASTING = {name: service for name, service in SERVICES.items() if name != "volumes"}
OWN_NETWORK = {name: service for name, service in ADDED.items() if name not in {"scale-volumes", "otel-collector-2"}}
QUEUE = "/var/lib/otelcol"
PROVISIONING = ROOT / "deploy/grafana/provisioning"
DATASOURCES = yaml.safe_load((PROVISIONING / "datasources/datasources.yaml").read_text())["datasources"]


@pytest.mark.parametrize("name", [*SERVICES, *ADDED])
def test_services_have_no_more_rights_than_needed(name):
    """No service can write to its root, gains privileges, has capabilities it does not need, or grows without limit."""
    service = {**SERVICES, **ADDED}[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["CHOWN"] if name.endswith("volumes") else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"memory", "cpus", "pids"}
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("name", [*LASTING, "otel-collector-2"])
def test_services_listen_on_loopback_only(name):
    """Every published port is on 127.0.0.1, can be moved by a variable, and runs as an ordinary user."""
    service = {**SERVICES, **ADDED}[name]
    assert service["ports"]
    for port in service["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_0-9]+:-\d+\}:\d+", port)
    assert not service["user"].startswith("0")


@pytest.mark.parametrize("name", OWN_NETWORK)
def test_tiers_are_reached_by_the_other_services_only(name):
    """Services behind the gateways publish no port, cannot leave the machine, and run as an ordinary user."""
    assert "ports" not in ADDED[name]
    assert ADDED[name]["networks"] == ["backend"]
    assert not ADDED[name]["user"].startswith("0")


def test_overlay_changes_no_rights():
    """The overlay gives the services of docker-compose.yml other commands, files and neighbours, and nothing else."""
    allowed = {"command", "volumes", "depends_on", "environment"}
    assert {key for service in CHANGED.values() for key in service} <= allowed


@pytest.mark.parametrize("name", [*SERVICES, *ADDED])
def test_images_are_pinned_and_can_be_replaced(name):
    """Each image names an exact release, with or without its digest, and can be replaced by a variable."""
    image = {**SERVICES, **ADDED}[name]["image"]
    assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[\w./-]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?\}", image)


def test_services_are_checked_for_health():
    """Each service whose image holds a program for it has a health check; the collector's health port is published."""
    assert {name for name, service in LASTING.items() if "healthcheck" not in service} == {"otel-collector"}
    without = {name for name, service in ADDED.items() if "healthcheck" not in service}
    assert without == {"scale-volumes", "otel-collector-2", "otel-sampler-1", "otel-sampler-2"}
    for gateway in (SERVICES["otel-collector"], ADDED["otel-collector-2"]):
        assert any("13133" in port for port in gateway["ports"])


def test_every_collector_and_jaeger_is_watched():
    """Prometheus asks each of the tiers' collectors and Jaegers for its metrics, under the jobs that alerts name."""
    jobs = yaml.safe_load((ROOT / "deploy/scale/prometheus.yml").read_text())["scrape_configs"]
    targets = {
        (job["job_name"], target) for job in jobs for group in job["static_configs"] for target in group["targets"]
    }
    programs = {name for name in {**SERVICES, **ADDED} if re.match("otel-|jaeger", name)}
    expected = {("jaeger" if "jaeger" in name else "otel-collector", f"{name}:8888") for name in programs}
    assert targets == expected | {("prometheus", "localhost:9090")}


@pytest.mark.parametrize("name", ["otel-collector", "otel-collector-2", "otel-sampler-1", "otel-sampler-2"])
def test_every_collector_has_a_volume_for_its_queue(name):
    """Each collector queues on a volume that outlives it, and that no other service uses."""
    everything = {**SERVICES, **ADDED}
    (queue,) = (one.split(":")[0] for one in everything[name]["volumes"] if one.endswith(f":{QUEUE}"))
    assert queue in {**COMPOSE["volumes"], **SCALE["volumes"]}
    users = {user for user, service in everything.items() for one in service.get("volumes", []) if queue in one}
    assert {user for user in users if not user.endswith("volumes")} == {name}
    config = "scale/sampler" if "sampler" in name else "collector/config"
    assert f"directory: ${{env:OTELCOL_QUEUE_DIR:-{QUEUE}}}" in (ROOT / f"deploy/{config}.yaml").read_text()


def test_back_end_network_has_no_way_out():
    """The network on which the services talk to each other is internal, and all of them are on it."""
    assert COMPOSE["networks"]["backend"] == {"internal": True}
    assert all("backend" in service["networks"] for service in LASTING.values())


def test_every_mounted_file_is_there():
    """Each file or folder that a service mounts or reads exists."""
    for service in [*SERVICES.values(), *SCALE["services"].values()]:
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in {**COMPOSE["volumes"], **SCALE["volumes"]} or (ROOT / source).exists(), source
    for variant in ("", "-and-admin"):
        assert (ROOT / f"deploy/grafana/viewer{variant}.env").is_file()


def test_every_setting_is_explained():
    """.env.example has exactly the variables that the compose files read, with the same defaults."""
    files = [(ROOT / f"docker-compose{name}.yml").read_text() for name in ("", ".scale")]
    used = {setting for text in files for setting in re.findall(r"\$\{([A-Z_0-9]+):-([^}]*)\}", text)}
    example = re.findall(r"^#([A-Z_0-9]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert dict(example).items() == used


def test_grafana_phones_nobody():
    """Sign-up, usage reports, update checks, avatars, news and plugin downloads are off; readers can only read."""
    settings = SERVICES["grafana"]["environment"]
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    off = {name: value for name, value in settings.items() if re.search("SIGN_UP|ANALYTICS|NEWS|AUTO_UPDATE", name)}
    assert len(off) == 6
    assert set(off.values()) == {"false"}
    assert {settings["GF_SECURITY_DISABLE_GRAVATAR"], settings["GF_PLUGINS_PREINSTALL_DISABLED"]} == {"true"}


def test_grafana_has_no_account_without_a_password():
    """Without a password there is neither a first account nor a login form; with one, there are both."""
    without, having = (
        dict(re.findall(r"^(GF_\w+)=(\w+)$", (ROOT / f"deploy/grafana/{name}.env").read_text(), re.MULTILINE))
        for name in ("viewer", "viewer-and-admin")
    )
    assert without == {"GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true", "GF_AUTH_DISABLE_LOGIN_FORM": "true"}
    assert having == {"GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "false", "GF_AUTH_DISABLE_LOGIN_FORM": "false"}
    assert SERVICES["grafana"]["env_file"] == "deploy/grafana/viewer${GRAFANA_ADMIN_PASSWORD:+-and-admin}.env"


def test_data_sources_lead_to_each_other():
    """Exemplars lead to Jaeger by uid and by address, traces lead back to metrics, under uids that exist."""
    by_uid = {source["uid"]: source for source in DATASOURCES}
    assert by_uid.keys() == {"prometheus", "jaeger"}
    inside, outside = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert (inside["name"], inside["datasourceUid"]) == ("trace_id", "jaeger")
    assert (outside["name"], outside["url"]) == ("trace_id", "http://localhost:${JAEGER_UI_PORT}/trace/$${__value.raw}")
    assert by_uid["jaeger"]["jsonData"]["tracesToMetrics"]["datasourceUid"] == "prometheus"
    assert "JAEGER_UI_PORT" in SERVICES["grafana"]["environment"]


def test_jaeger_links_to_boards_that_exist():
    """Links from Jaeger's spans open boards by uid with variables that these boards have."""
    for pattern in json.loads((ROOT / "deploy/jaeger/ui.json").read_text())["linkPatterns"]:
        uid, variable = re.search(r"/d/([\w-]+)(?:\?var-(\w+)=)?", pattern["url"]).groups()
        board = json.loads((ROOT / "dashboards" / f"{uid}.json").read_text())
        assert variable is None or variable in {one["name"] for one in board["templating"]["list"]}


def test_home_page_is_a_board():
    """Grafana's home page is one of the boards, at the place where they are mounted."""
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert f"./dashboards:{home.parent}:ro" in SERVICES["grafana"]["volumes"]
    assert (ROOT / "dashboards" / home.name).is_file()
