"""Options from arguments and from the environment."""

import logging

import pytest

from otel_callbacks import Config

VALID = [
    pytest.param("DETAIL", "ALL", "detail", "all", id="choice in any case"),
    pytest.param("SEMCONV", "0.1.0", "semconv", "0.1.0", id="dialect"),
    pytest.param("PROPAGATE", "off", "propagate", False, id="switch"),
    pytest.param("CHUNK_METRICS", "1", "chunk_metrics", True, id="switch by number"),
    pytest.param("RUN_TTL_S", "1.5", "run_ttl_s", 1.5, id="seconds"),
    pytest.param("MAX_OPEN_RUNS", "7", "max_open_runs", 7, id="number"),
    pytest.param("METADATA_KEYS", "tenant, plan,", "metadata_keys", ("tenant", "plan"), id="list"),
]
WRONG = [
    pytest.param("detail", "some", "operations, steps, all", id="choice"),
    pytest.param("semconv", "2", "py-1.3, 0.1.0", id="dialect"),
    pytest.param("propagate", "yes", "True or False", id="switch"),
    pytest.param("run_ttl_s", 0, "seconds above 0", id="no time at all"),
    pytest.param("run_ttl_s", float("inf"), "seconds above 0", id="forever"),
    pytest.param("max_open_runs", 1.5, "a whole number above 0", id="half a run"),
    pytest.param("max_open_runs", True, "a whole number above 0", id="a switch"),
    pytest.param("metadata_keys", "tenant", "a sequence of strings", id="one string"),
    pytest.param("metadata_keys", (1,), "a sequence of strings", id="other keys"),
    pytest.param("filter", 3, "a callable, or None", id="filter"),
]


@pytest.mark.parametrize(("variable", "text", "option", "expected"), VALID)
def test_environment_sets_an_option(monkeypatch, variable, text, option, expected):
    """Every option is `OTEL_CALLBACKS_<OPTION>`, and only `from_env` reads it."""
    monkeypatch.setenv(f"OTEL_CALLBACKS_{variable}", text)
    assert getattr(Config.from_env(), option) == expected
    assert getattr(Config(), option) != expected


@pytest.mark.parametrize(("option", "value", "valid"), WRONG)
def test_wrong_value_in_code_names_the_valid_ones(option, value, valid):
    """A mistake in code is an error at set-up time that says what is valid."""
    with pytest.raises(ValueError, match=valid) as caught:
        Config(**{option: value})
    assert option in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text", "valid"),
    [
        ("DETAIL", "some", "operations, steps, all"),
        ("PROPAGATE", "maybe", "true or false"),
        ("MAX_OPEN_RUNS", "many", ""),
    ],
)
def test_wrong_value_in_the_environment_warns_and_changes_nothing(monkeypatch, caplog, variable, text, valid):
    """A mistake in the environment costs one warning, and the default applies."""
    monkeypatch.setenv(f"OTEL_CALLBACKS_{variable}", text)
    with caplog.at_level(logging.WARNING, "otel_callbacks"):
        assert Config.from_env() == Config()
    assert [record.message for record in caplog.records if variable in record.message and valid in record.message]
    assert len(caplog.records) == 1


def test_arguments_win_over_the_environment(monkeypatch):
    """Arguments in code win over variables."""
    monkeypatch.setenv("OTEL_CALLBACKS_DETAIL", "all")
    assert Config.from_env(detail="operations").detail == "operations"


def test_unknown_option_is_an_error():
    """A misspelt option is an error."""
    with pytest.raises(TypeError, match="detial"):
        Config.from_env(detial="all")


def test_options_are_immutable():
    """A configuration cannot change, so that all threads may share it."""
    with pytest.raises(AttributeError):
        Config().detail = "all"  # type: ignore[misc]
