"""Write the boards and rules beside this file.

usage: python dashboards/build.py

The files are committed and are the only copy: compose mounts them, the wheel contains them, a test compares them.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import alerts
import yaml
from boards import BOARDS

HERE = Path(__file__).parent
_NOTICE = "# Written by dashboards/build.py from dashboards/alerts.py; change it there.\n"


def files() -> Iterator[tuple[Path, str]]:
    """Yield every generated file as path and text."""
    for board in BOARDS:
        yield HERE / f"{board['uid']}.json", json.dumps(board, indent=1) + "\n"
    yield HERE / "rules" / "recording.yml", _NOTICE + _yaml(alerts.recording_file())
    yield HERE / "rules" / "alerts.yml", _NOTICE + _yaml(alerts.alert_file())


def _yaml(document: object) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, width=110)
    return text


if __name__ == "__main__":
    for path, text in files():
        path.write_text(text)
        print(path)
