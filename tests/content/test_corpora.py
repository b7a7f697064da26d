"""Redaction on the examples of other projects, where checkouts of them are given."""

import os
import sys
from pathlib import Path

import pytest

from otel_callbacks._content.redaction import Redactor

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

import redaction_corpora as corpora
import redaction_recall as recall

CHECKOUTS = "REDACTION_CORPORA"


def checkout(name: str) -> Path:
    """Return a checkout in the folder that the environment names, or skip the test."""
    folder = Path(os.environ.get(CHECKOUTS, ""), name)
    if CHECKOUTS not in os.environ or not folder.is_dir():
        pytest.skip(f"needs a checkout of {name} in the folder that {CHECKOUTS} names")
    return folder


def test_most_of_the_secrets_of_gitleaks_are_found():
    """Most of gitleaks' true positives are found, and few of its false positives are changed."""
    result = recall.score(corpora.gitleaks(checkout("gitleaks")), Redactor())

    assert result.secrets > 5000
    assert result.recall >= 0.84
    assert len(result.changed) <= 105


def test_half_of_the_lines_of_detect_secrets_are_found():
    """Half of the lines that detect-secrets finds are found; most others hold a row of X or a half-known name."""
    result = recall.score(corpora.detect_secrets(checkout("detect-secrets")), Redactor())

    assert result.secrets > 200
    assert result.recall >= 0.5


def test_personal_data_of_presidio_is_found():
    """Each rule for personal data finds what Presidio's recogniser of the same kind finds, and changes little else."""
    for rule, result in recall.scores_of_personal_data(corpora.presidio(checkout("presidio"))).items():
        assert result.recall >= (0.6 if rule == "us_ssn" else 0.9), rule
        assert len(result.changed) <= 1, rule


def test_identifiers_stay():
    """No UUID, hash or base64 text is taken for a secret."""
    redactor = Redactor()

    assert [text for text in recall.identifiers(500) if redactor.redact_text(text) != text] == []


GENERATED = """import pytest

SECRET = "abc"
LONG_TEST_CASES = [("key = {}".format(SECRET), SECRET), ("key = ", None)]


@pytest.mark.parametrize("payload, should_flag", [("x=" + SECRET, True), (unknown(), True), ("y", False)])
def test_lines(payload, should_flag):
    pass


@pytest.mark.parametrize("line", ["only"])
def test_one(line):
    pass
"""


def test_examples_are_read_without_running_them(tmp_path):
    """Constant texts of another project's tests are read; what must be run for is left out."""
    folder = tmp_path / "tests" / "plugins"
    folder.mkdir(parents=True)
    (folder / "sample_test.py").write_text(GENERATED, encoding="utf-8")

    assert [(text, is_secret) for _, text, is_secret in corpora.detect_secrets(tmp_path)] == [
        ("x=abc", True),
        ("y", False),
        ("only", True),
        ("key = abc", True),
        ("key = ", False),
    ]
