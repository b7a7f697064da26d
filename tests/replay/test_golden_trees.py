from pathlib import Path

import pytest

from tests.replay.drawing import draw
from tests.replay.payload import SCENARIOS, NotLoadable
from tests.replay.player import play
from tests.support.recorded_spans import RecordedSpans

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("detail", ["steps", "all"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_recorded_payload_becomes_its_golden_tree(telemetry: RecordedSpans, scenario, detail, request):
    """A recorded payload gives exactly the spans in its golden file; `--update-goldens` writes it."""
    handler = telemetry.new_handler(detail=detail)
    try:
        play(scenario, handler)
    except NotLoadable as missing:
        pytest.skip(str(missing))
    golden = GOLDEN / detail / f"{scenario}.txt"
    actual = draw(telemetry.spans) if detail == "steps" else telemetry.tree("langchain.run_type") + "\n"
    if request.config.getoption("--update-goldens"):
        golden.write_text(actual, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == actual
    assert handler.open_runs == 0


@pytest.mark.parametrize("detail", ["steps", "all"])
def test_every_golden_file_belongs_to_a_payload(detail):
    """No golden file outlives the payload it was made from."""
    assert sorted(path.stem for path in (GOLDEN / detail).iterdir()) == SCENARIOS
