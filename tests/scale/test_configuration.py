"""The tiers' files as files: settings without which spans are lost silently, and what must match other files."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_callbacks import semconv

ROOT = Path(__file__).resolve().parents[2]
SCALE = ROOT / "deploy/scale"


def read(name: str) -> dict[str, Any]:
    """Load a configuration file of the tiers."""
    return yaml.safe_load((SCALE / name).read_text())


GATEWAY = read("gateway.yaml")["exporters"]["load_balancing"]
SAMPLER = read("sampler.yaml")
INGESTER = read("jaeger-ingester.yaml")
CASSANDRA = read("storage-cassandra.yaml")["extensions"]["jaeger_storage"]["backends"]["traces"]["cassandra"]


def test_gateways_try_again_for_ever():
    """Trap: retry is off and every value is zero unless written out; here all are, and no sender gives up."""
    retry = GATEWAY["retry_on_failure"]
    assert retry.pop("enabled") is True
    assert retry.pop("max_elapsed_time") == "0s"
    assert retry.keys() == {"initial_interval", "randomization_factor", "multiplier", "max_interval"}
    assert all(retry.values())


def test_gateways_queue_is_outside():
    """Trap: disk queues per sampler would share one file; the outer queue is used, and both inner ones are off."""
    assert GATEWAY["sending_queue"]["storage"] == "file_storage/queue"
    inside = GATEWAY["protocol"]["otlp"]
    assert inside["sending_queue"] == inside["retry_on_failure"] == {"enabled": False}


def test_gateways_count_and_redact_before_anything_is_sent_on():
    """Trap: spans that are sent again count twice after this hop; gateways still limit, redact and count first."""
    gateway, collector = read("gateway.yaml"), yaml.safe_load((ROOT / "deploy/collector/config.yaml").read_text())
    assert gateway.keys() == {"exporters", "service"}
    assert gateway["service"] == {
        "pipelines": {"traces/store": {"receivers": ["forward"], "exporters": ["load_balancing"]}}
    }
    incoming = collector["service"]["pipelines"]["traces/in"]
    assert incoming["exporters"] == ["span_metrics", "forward"]
    assert incoming["processors"] == ["memory_limiter", "transform/limits", "redaction"]


def test_samplers_keep_what_they_decided_and_drop_no_large_or_early_trace():
    """Trap: last decisions are kept on disk; no trace is dropped for its size or for the number of others."""
    sampling = SAMPLER["processors"]["tail_sampling"]
    assert "maximum_trace_size_bytes" not in sampling
    assert sampling["block_on_overflow"] is True
    kafka = SAMPLER["exporters"]["kafka"]
    assert kafka["sending_queue"]["storage"] == "file_storage/queue"
    assert kafka["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert SAMPLER["service"]["pipelines"]["traces"]["processors"] == ["memory_limiter", "tail_sampling"]


def test_every_batch_fits_its_next_hop():
    """Trap: the largest batch fits Kafka's message limit on both sides; what gateways accept, samplers accept."""
    kafka = SAMPLER["exporters"]["kafka"]
    broker = dict(line.split("=", 1) for line in (SCALE / "kafka.properties").read_text().splitlines() if "=" in line)
    producer = kafka["producer"]["max_message_bytes"]
    assert kafka["sending_queue"]["batch"]["max_size"] < producer < int(broker["message.max.bytes"])
    collector = yaml.safe_load((ROOT / "deploy/collector/config.yaml").read_text())
    received = [one["receivers"]["otlp"]["protocols"]["grpc"]["max_recv_msg_size_mib"] for one in (collector, SAMPLER)]
    assert received[0] == received[1]


def test_offsets_are_committed_after_the_write():
    """Trap: a batch or a queue would commit offsets before spans are stored; there is neither."""
    kafka, store = INGESTER["receivers"]["kafka"], INGESTER["exporters"]["jaeger_storage_exporter"]
    assert kafka["autocommit"] == {"enable": False}
    assert kafka["message_marking"] == {"after": True, "on_error": False}
    assert (kafka["error_backoff"]["enabled"], kafka["error_backoff"]["max_elapsed_time"]) == (True, "0s")
    assert kafka["initial_offset"] == "earliest"
    assert store["queue"] == {"enabled": False}
    assert store["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert INGESTER["service"]["pipelines"]["traces"]["processors"] == []


def test_few_attributes_are_indexed():
    """Trap: each indexed attribute costs one more row; the list is short, with names that this package emits."""
    index = CASSANDRA["index"]
    default = index["tag_whitelist"].removesuffix("}").partition(":-")[2].split(",")
    assert (index["process_tags"], index["logs"]) == (False, False)
    names = {semconv.ERROR_TYPE, semconv.REQUEST_MODEL, semconv.CONVERSATION_ID, semconv.AGENT_NAME}
    assert set(default) == names | {"error"}


def test_expensive_traces_are_those_of_our_attributes():
    """The conditions of the policy for expensive traces name attributes that this package emits."""
    policies = {policy["name"]: policy for policy in SAMPLER["processors"]["tail_sampling"]["policies"]}
    conditions = " ".join(policies["expensive"]["ottl_condition"]["span"])
    for name in (semconv.USAGE_INPUT, semconv.USAGE_OUTPUT, semconv.COST_USD, semconv.COST_TOTAL_USD):
        assert f'span.attributes["{name}"] >= ' in conditions
    assert list(policies) == ["failed", "slow", "expensive", "rate-of-a-service", "share-of-the-rest"]


def test_topic_and_encoding_are_those_that_are_read():
    """What samplers write to Kafka is what the ingester reads."""
    assert SAMPLER["exporters"]["kafka"]["traces"] == INGESTER["receivers"]["kafka"]["traces"]


def test_prometheus_differs_in_targets_and_the_way_on_only():
    """Storage, names and rules are those of the one-machine stack, so boards and rules find the same series."""
    here, there = read("prometheus.yml"), yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (remote,) = here.pop("remote_write")
    assert (remote["send_exemplars"], remote["send_native_histograms"]) == (True, True)
    assert remote["protobuf_message"] == "prometheus.WriteRequest"
    assert here["global"].pop("external_labels").keys() == {"cluster", "replica"}
    jobs = [[job["job_name"] for job in one.pop("scrape_configs")] for one in (here, there)]
    assert jobs[0] == jobs[1]
    assert here == there


def test_page_names_what_is_there():
    """The files of the tiers read each variable that docs/scale.md names, and include each file that it names."""
    page = (ROOT / "docs/scale.md").read_text()
    files = [path for path in (ROOT / "deploy").rglob("*.y*ml") if path.is_file()]
    texts = "".join(path.read_text() for path in [*files, *ROOT.glob("docker-compose*.yml")])
    variables = set(re.findall(r"`((?:OTELCOL|JAEGER|KAFKA|CASSANDRA|TRACE|PROMETHEUS)_[A-Z_]+)", page))
    assert len(variables) > 5
    assert variables <= set(re.findall(r"\$\{(?:env:)?([A-Z_]+):-", texts))
    named = set(re.findall(r"([\w.-]+)\.ya?ml`", page))
    assert len(named) > 3
    assert named <= {path.stem for path in [*files, *ROOT.glob("*.yml")]}


@pytest.mark.parametrize("name", ["jaeger_query", "metric_backends"])
def test_query_answers_as_the_one_machine_jaeger(name):
    """UI, API and Monitor tab are set as in deploy/jaeger/config.yaml, except for the name of the store."""
    one_machine = yaml.safe_load((ROOT / "deploy/jaeger/config.yaml").read_text())["extensions"]
    here = read("jaeger-query.yaml")["extensions"]
    if name == "metric_backends":
        assert here["jaeger_storage"][name] == one_machine["jaeger_storage"][name]
    else:
        here["jaeger_query"]["storage"]["traces"] = one_machine["jaeger_query"]["storage"]["traces"]
        assert here["jaeger_query"] == one_machine["jaeger_query"]
