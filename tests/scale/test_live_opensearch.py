"""The tiers with OpenSearch in place of Cassandra."""

import subprocess
from collections.abc import Iterator

import native_build
import pytest
from fleet import ARRIVAL_S, SAMPLING, Fleet
from native_scale import ScaleStack
from native_stack import HOST, wait_until
from sdk_traffic import many_spans, sent, trace_id
from test_live_policies import to_gateway

pytestmark = pytest.mark.scale

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A separate fleet, with the other store."""
    folder = tmp_path_factory.mktemp("opensearch")
    with ScaleStack(folder, environment=SAMPLING, interval="1s", traces_in="opensearch") as running:
        yield Fleet(running)


def test_failed_traces_are_whole_in_opensearch(searched):
    """Each failed trace is there with the spans of both processes, some of the others whole, none in part."""
    load = searched.load(300)
    searched.assert_failed_traces_are_whole(load)
    kept = sum(1 for spans in searched.stored(load).values() if spans)
    assert len(load.failed) < kept < load.count / 2


@pytest.mark.parametrize("name", ["trace_store", "ingester"])
def test_outage_of_opensearch_loses_nothing(searched, name):
    """After OpenSearch or the ingester was down during the load, every failed trace is whole."""
    with searched.without(getattr(searched.stack, name)):
        load = searched.load(200)
    searched.assert_failed_traces_are_whole(load)


def test_every_short_attribute_can_be_searched_for(searched):
    """Traces are found by any attribute of up to 256 characters without a list, and not by a longer one."""
    attributes = {"gen_ai.provider.name": "openai", "limit": "x" * 256, "longer": "x" * 257}
    span = many_spans("searched", ["chat m"], seconds=20.0, **attributes)[0]
    assert sent(to_gateway(searched), span)
    assert wait_until(lambda: searched.search("searched") == {trace_id(span)}, ARRIVAL_S)
    searchable = {key for key, value in attributes.items() if searched.search("searched", **{key: value})}
    assert searchable == attributes.keys() - {"longer"}


def test_a_trace_is_found_as_long_as_it_is_kept(searched):
    """A trace that began six days ago is found by its id, until Jaeger's tool deletes the old indices."""
    span = many_spans("old", ["chat m"], seconds=6 * DAY_S)[0]
    assert sent(to_gateway(searched), span)
    assert wait_until(lambda: searched.spans(trace_id(span)) == 1, ARRIVAL_S)
    delete_older_than(7, searched)
    assert searched.spans(trace_id(span)) == 1
    # It goes by the day on which an index was made, here today: none is left.
    delete_older_than(0, searched)
    assert searched.spans(trace_id(span)) == 0


def delete_older_than(days: int, fleet: Fleet) -> None:
    """Return the command to run each day."""
    cleaner = native_build.build("jaeger-index-cleaner")["jaeger-es-index-cleaner"]
    command = [str(cleaner), str(days), f"http://{HOST}:{fleet.stack.trace_store_port}"]
    subprocess.run(command, capture_output=True, check=True)
