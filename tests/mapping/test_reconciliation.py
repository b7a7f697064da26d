from hypothesis import example, given
from hypothesis import strategies as st

from otel_callbacks._mapping.reconciliation import TOTAL, WRITTEN_FOR_AN_HOUR, WRITTEN_FOR_MINUTES, reconcile

INPUT = "gen_ai.usage.input_tokens"
OUTPUT = "gen_ai.usage.output_tokens"
READ = "gen_ai.usage.cache_read.input_tokens"
WRITTEN = "gen_ai.usage.cache_write.input_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"
HEARD = "gen_ai.usage.audio.input_tokens"
SPOKEN = "gen_ai.usage.audio.output_tokens"
WHOLES = {READ: INPUT, WRITTEN: INPUT, HEARD: INPUT, REASONING: OUTPUT, SPOKEN: OUTPUT}
KEYS = (INPUT, OUTPUT, TOTAL, *WHOLES, WRITTEN_FOR_MINUTES, WRITTEN_FOR_AN_HOUR)

COUNTS = st.integers(0, 60) | st.integers(0, 2**63 - 1)
JUNK = st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers(max_value=-1) | st.integers(2**63)
REPORTS = st.dictionaries(st.sampled_from(KEYS), COUNTS | JUNK)
TOKENS = st.integers(0, 1000)


@st.composite
def calls(draw):
    """The parts of a call that disagree with nothing: plain, read, written, visible and reasoning tokens."""
    parts = {name: draw(TOKENS) for name in ("plain", "read", "written", "visible", "reasoning")}
    parts["plain"] += 1  # every call has input
    return parts


def honest(parts, *, total=True):
    """Report a call as LangChain defines it: every sum includes its parts."""
    inputs = parts["plain"] + parts["read"] + parts["written"]
    outputs = parts["visible"] + parts["reasoning"]
    report = {INPUT: inputs, OUTPUT: outputs, READ: parts["read"], WRITTEN: parts["written"]}
    report[REASONING] = parts["reasoning"]
    return report | ({TOTAL: inputs + outputs} if total else {})


@given(REPORTS)
@example({INPUT: 1, HEARD: 2})
@example({INPUT: 19, OUTPUT: 15, READ: 30000, TOTAL: 34})
@example({INPUT: 2**63 - 1, READ: 2**63 - 1, WRITTEN: 2**63 - 1})
def test_afterwards_nothing_is_impossible(report):
    """Whatever is reported, no part exceeds its count, counts fit an attribute, and totals agree unless it says not."""
    usage = reconcile(report)
    if usage is None:
        return
    counts = usage.counts
    assert all(type(count) is int and 0 <= count < 2**63 for count in counts.values())
    assert all(counts[part] <= counts[whole] for part, whole in WHOLES.items() if {part, whole} <= counts.keys())
    assert 0 <= usage.written_for_an_hour <= counts.get(WRITTEN, 0)
    assert counts.get(INPUT) != 0
    total = report.get(TOTAL)
    if not usage.is_discrepancy and total and {INPUT, OUTPUT} <= counts.keys() and not counts.get(WRITTEN):
        assert counts[INPUT] + counts[OUTPUT] == total


@given(REPORTS)
def test_invalid_values_are_left_out_and_noted(report):
    """Booleans, fractions, negatives, NaN and text count for nothing, and usage that holds any is a discrepancy."""
    valid = {key: value for key, value in report.items() if type(value) is int and 0 <= value < 2**63}
    invalid = [value for key, value in report.items() if key not in valid and value is not None]
    usage, cleaned = reconcile(report), reconcile(valid)
    assert (usage.counts if usage else {}) == (cleaned.counts if cleaned else {})
    if invalid:
        assert usage.is_discrepancy


@given(calls(), st.booleans())
def test_agreeing_counts_stay(parts, total):
    """Counts that agree with each other are believed as they are."""
    usage = reconcile(honest(parts, total=total))
    assert usage.counts == {key: value for key, value in honest(parts).items() if key != TOTAL}
    assert not usage.is_discrepancy


@given(calls())
def test_sums_without_their_parts_are_completed_from_the_total(parts):
    """Input without its cached tokens and output without its reasoning are completed to the reported total."""
    whole = honest(parts)
    lacking = {
        **whole,
        INPUT: whole[INPUT] - parts["read"] - parts["written"],
        OUTPUT: whole[OUTPUT] - parts["reasoning"],
    }
    usage = reconcile(lacking)
    assert usage.counts[INPUT] + usage.counts[OUTPUT] == whole[TOTAL]
    assert not usage.is_discrepancy


@given(calls(), st.integers(0, 1000))
def test_a_cache_write_named_twice_counts_once(parts, hour):
    """A sum of written tokens and the same tokens by lifetime give one count, in all three ways of reporting it."""
    hour = min(hour, parts["written"])
    lifetimes = {WRITTEN_FOR_MINUTES: parts["written"] - hour, WRITTEN_FOR_AN_HOUR: hour}
    without_sum = honest(parts) | {WRITTEN: 0} | lifetimes
    for usage in (reconcile(honest(parts) | lifetimes), reconcile(without_sum)):
        assert usage.counts[WRITTEN] == parts["written"]
        assert usage.written_for_an_hour == hour
        assert not usage.is_discrepancy


def test_unexplained_sums_stay_as_the_provider_has_them():
    """A total that no way of counting explains changes nothing and is noted."""
    usage = reconcile({INPUT: 10, OUTPUT: 5, READ: 4, TOTAL: 99})
    assert usage.counts == {INPUT: 10, OUTPUT: 5, READ: 4}
    assert usage.is_discrepancy


def test_one_missing_sum_follows_from_the_total():
    """Of input, output and total, two give the third."""
    assert reconcile({OUTPUT: 5, TOTAL: 12}).counts == {INPUT: 7, OUTPUT: 5}
    assert reconcile({INPUT: 7, OUTPUT: None, TOTAL: 12}).counts == {INPUT: 7, OUTPUT: 5}
