"""Crashes and outages: what was accepted from an application is there in the end."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import Jaeger, Prometheus
from demo_traffic import Demo, run_demo
from native_stack import NativeStack, Ports, wait_until
from sdk_traffic import many_spans, over_http, sent, trace_id

pytestmark = pytest.mark.stack

ARRIVAL_S = 60.0
DISK = "4m"


def missing(stack: NativeStack, demos: list[Demo]) -> list[str]:
    """Return span ids that Jaeger does not have, and metrics that are wrong in Prometheus."""
    jaeger = Jaeger(stack.url(stack.ports.jaeger_ui))
    prometheus = Prometheus(stack.url(stack.ports.prometheus))
    stored = {span_id for demo in demos for trace_id in demo.trace_ids for span_id in jaeger.spans(trace_id)}
    spans = [span_id for demo in demos for span_id in demo.spans if span_id not in stored]
    calls = sum(demo.truth["runs"]["chat"] for demo in demos)
    counted = prometheus.total(
        f'sum(last_over_time(gen_ai_client_operation_duration_seconds_count{{job="{demos[0].job}",'
        'gen_ai_operation_name="chat"}[1h]))'
    )
    return spans if counted == calls else [*spans, f"{counted} calls instead of {calls}"]


def assert_complete(stack: NativeStack, demos: list[Demo]) -> None:
    """Wait until everything is there, and name what is not."""
    wait_until(lambda: not missing(stack, demos), ARRIVAL_S)
    assert missing(stack, demos) == []


def test_killed_collector_loses_nothing_it_accepted(own_stack, tmp_path):
    """With both back ends down, a collector killed by SIGKILL and started again delivers everything it accepted."""
    own_stack.jaeger.stop()
    own_stack.prometheus.stop()
    demos = [run_demo(own_stack, tmp_path / name) for name in ("first", "second")]
    own_stack.collector.kill()
    own_stack.collector.start()
    own_stack.prometheus.start()
    own_stack.jaeger.start()
    assert_complete(own_stack, demos)


@pytest.mark.parametrize("program", ["jaeger", "prometheus"])
def test_killed_back_end_loses_nothing(own_stack, tmp_path, program):
    """A back end killed with SIGKILL right after traffic keeps it, and gets what was sent while it was down."""
    before = run_demo(own_stack, tmp_path / "before")
    assert_complete(own_stack, [before])
    getattr(own_stack, program).kill()
    meanwhile = run_demo(own_stack, tmp_path / "meanwhile")
    getattr(own_stack, program).start()
    assert_complete(own_stack, [before, meanwhile])


def test_restart_keeps_the_data(tmp_path):
    """After everything is stopped and started again on the same folders, traces and metrics are there."""
    folder = tmp_path / "stack"
    with NativeStack(folder, Ports.free(), interval="1s") as first:
        demo = run_demo(first, tmp_path / "demo")
        assert_complete(first, [demo])
    with NativeStack(folder, Ports.free(), interval="1s") as second:
        assert_complete(second, [demo])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[NativeStack]:
    """Programs whose collector has a disk of 4 MiB for its queue."""
    queue = tmp_path / "stack/collector-queue"
    queue.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(queue)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        with NativeStack(tmp_path / "stack", Ports.free(), interval="1s") as running:
            yield running
    finally:
        subprocess.run(["umount", str(queue)], check=True)  # noqa: S607 (whichever is there)


def test_full_disk_refuses_and_recovers(small_disk):
    """Without room for the queue, spans are refused and the log says why; accepted ones arrive, and later all do."""
    small_disk.jaeger.stop()
    batches = [many_spans("full-disk", ["chat m"] * 20, text="x" * 30_000) for _ in range(20)]
    accepted = [batch for batch in batches if sent(over_http(small_disk, timeout_s=1), *batch)]
    assert 0 < len(accepted) < len(batches)
    assert "no space left on device" in small_disk.collector.log.read_text()
    small_disk.jaeger.start()
    jaeger = Jaeger(small_disk.url(small_disk.ports.jaeger_ui))

    def arrived() -> bool:
        return all(jaeger.spans(trace_id(span)) for batch in accepted for span in batch)

    assert wait_until(arrived, ARRIVAL_S)
    assert sent(over_http(small_disk), *many_spans("full-disk", ["chat m"]))
