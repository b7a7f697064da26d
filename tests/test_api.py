"""The public interface is what the committed listing says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_public_interface_is_as_listed():
    """A change of a public name or signature is a decision: `make api` writes it down, reviewers see it."""
    check = [sys.executable, ROOT / "scripts" / "api.py", "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
