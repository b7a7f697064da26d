"""What importing the handler costs beside LangChain's callbacks and OpenTelemetry's API."""

import json
import os
import subprocess
import sys
import tempfile

_PROGRAM = """
import sys
from json import dumps
from time import process_time
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
from opentelemetry import _logs, context, metrics, trace
before, started = set(sys.modules), process_time()
{statement}
print(dumps({{"ms": (process_time() - started) * 1000, "modules": len(set(sys.modules) - before)}}))
"""
OURS = "from otel_callbacks import OTelCallbackHandler"


def measure(statement: str = OURS, repetitions: int = 10) -> dict[str, float]:
    """CPU milliseconds (the least of some processes, compiled before) and number of modules that `statement` loads."""
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        found = [_load(statement, environment) for _ in range(repetitions + 1)][1:]
    return {"ms to import": min(each["ms"] for each in found), "modules": found[0]["modules"]}


def _load(statement: str, environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(json.loads(output))
