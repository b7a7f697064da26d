"""The native programs as judges of the files that they read."""

import os
import subprocess
from pathlib import Path

import native_build

ROOT = Path(__file__).resolve().parents[2]


def run(program: str, binary: str, *arguments: str) -> str:
    """Run a program in the checkout and return its output; fail with it if the program fails."""
    environment = {**os.environ, "JAEGER_UI_CONFIG": "deploy/jaeger/ui.json"}
    command = [str(native_build.build(program)[binary]), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
