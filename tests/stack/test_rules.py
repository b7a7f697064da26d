"""The rules as files: about what is sent only, tested one by one, explained in the runbooks."""

import re
from pathlib import Path

import pytest
import yaml
from promql import read
from test_boards import RECORDED, unknown

from otel_callbacks._mapping.finish_reason import CUT_OFF

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "dashboards" / "rules"


def rules(name: str) -> list[dict]:
    """Load the rules of a file."""
    return [rule for group in yaml.safe_load((RULES / name).read_text())["groups"] for rule in group["rules"]]


def named(rule: dict) -> str:
    """Return the id of a test of this rule."""
    return rule.get("alert") or f"{rule['record']} {rule.get('labels', '')}"


RECORDINGS, ALERTS = rules("recording.yml"), rules("alerts.yml")


@pytest.mark.parametrize("rule", RECORDINGS + ALERTS, ids=named)
def test_rules_read_only_what_is_sent(rule):
    """Every series and label in every rule is sent by the package or the stack, or recorded by another rule."""
    recorded = {one["record"] for one in RECORDINGS}
    assert {one for one in read(rule["expr"]).series if RECORDED.match(one)} <= recorded
    assert not unknown(rule["expr"]) - {"kind"}


@pytest.mark.parametrize("rule", ALERTS, ids=named)
def test_messages_name_labels_that_the_alert_has(rule):
    """Labels in an alert's messages are among those that its expression keeps."""
    used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    recorded = {"job"} if RECORDED.search(rule["expr"]) else set()
    assert used <= read(rule["expr"]).grouped | recorded


@pytest.mark.parametrize("rule", ALERTS, ids=named)
def test_alerts_lead_somewhere(rule):
    """Each alert has a severity, a summary, a description, a section in the runbooks and a board."""
    annotations = rule["annotations"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert annotations["summary"]
    assert annotations["description"]
    assert (ROOT / "dashboards" / f"{annotations['dashboard_uid']}.json").is_file()
    page, anchor = annotations["runbook_url"].split("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("rule", ALERTS, ids=named)
def test_alerts_are_tested_both_ways(rule):
    """Each alert has a promtool test in which it fires, with jobs or moments for which it does not."""
    cases = [
        case
        for path in (RULES / "tests").glob("*.yml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["promql_expr_test"]
        if rule["alert"] in case["expr"] or rule["alert"] in str(case["exp_samples"])
    ]
    fires = {rule["alert"] in str(case["exp_samples"]) for case in cases}
    assert fires == {True, False}


@pytest.mark.parametrize("reason", [*CUT_OFF, "MAX_TOKENS"])
def test_truncation_counts_every_word_for_it(reason):
    """The metric keeps a provider's word for a cut answer; the alert has every word that messages call "length"."""
    (alert,) = (rule["expr"] for rule in ALERTS if rule["alert"] == "GenAITruncatedOutputs")
    (pattern,) = set(re.findall(r'finish_reason=~"([^"]+)"', alert))
    assert re.fullmatch(pattern, reason)
    assert not re.fullmatch(pattern, "stop")
