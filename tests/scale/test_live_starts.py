"""Programs started in the wrong order."""

import pytest

pytestmark = pytest.mark.scale


def test_order_of_start_does_not_matter(fleet):
    """Gateways first, then samplers, then the rest: everything that was sent before is stored in the end."""
    stack = fleet.stack
    stack.stop()
    for gateway in stack.gateways:
        gateway.program.start()
    load = fleet.load(100)
    for sampler in stack.samplers:
        sampler.program.start()
    # Jaeger ends if its store is missing; in production its supervisor starts it again.
    with pytest.raises(RuntimeError, match="did not start"):
        stack.ingester.start()
    stack.trace_store.start()
    for program in (stack.ingester, stack.query, stack.kafka, stack.prometheus, stack.long_term_store):
        program.start()
    fleet.assert_failed_traces_are_whole(load)
