"""The public interface equals the committed listing."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_public_interface_is_as_listed():
    """A changed public name or signature shows in the listing, which `make api` writes and reviewers see."""
    check = [sys.executable, ROOT / "scripts" / "api.py", "--check"]
    process = subprocess.run(check, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
