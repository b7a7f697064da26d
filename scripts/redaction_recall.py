"""Measure redaction on the examples of other projects, and on texts that hold no secrets.

usage: python scripts/redaction_recall.py [--gitleaks DIR] [--detect-secrets DIR] [--presidio DIR] [--misses] [--write]

DIR is a checkout of https://github.com/gitleaks/gitleaks (needs go), https://github.com/Yelp/detect-secrets or
https://github.com/microsoft/presidio. Nothing of it is copied into this repository. ``--misses`` prints what is missed;
``--write`` renews the tables of docs/redaction.md, and needs all three.
"""

import argparse
import base64
import platform
import random
import subprocess
import sys
import sysconfig
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import redaction_corpora as corpora
from redaction_corpora import Example

from otel_callbacks._content.redaction import RULES, Redactor

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/redaction.md"
BEGIN, END = "<!-- corpora -->\n", "<!-- end of corpora -->"
_CHARACTERS = 1 << 20  # of a text that is redacted at once


class Score(NamedTuple):
    """What redaction did to the examples of one source.

    Attributes:
        secrets: Examples with a secret.
        missed: Those in which redaction changed nothing.
        lookalikes: Examples without a secret.
        changed: Those that redaction changed.
    """

    secrets: int
    missed: list[Example]
    lookalikes: int
    changed: list[Example]

    @property
    def recall(self) -> float:
        """The part of the secrets that was found."""
        return 1 - len(self.missed) / self.secrets if self.secrets else 1.0


def score(examples: Sequence[Example], redactor: Redactor) -> Score:
    """Return what a redactor does to examples."""
    secrets = [example for example in examples if example.is_secret]
    lookalikes = [example for example in examples if not example.is_secret]
    missed = [example for example in secrets if redactor.redact_text(example.text) == example.text]
    changed = [example for example in lookalikes if redactor.redact_text(example.text) != example.text]
    return Score(len(secrets), missed, len(lookalikes), changed)


def scores_of_personal_data(examples: Sequence[Example]) -> dict[str, Score]:
    """Return the scores of the rules for personal data and card numbers, each alone, on the examples that name it."""
    rules = dict.fromkeys(example.rule for example in examples)
    return {rule: score([e for e in examples if e.rule == rule], Redactor([RULES[rule]])) for rule in rules}


def marks_per_megabyte(texts: Iterable[str]) -> tuple[int, float]:
    """Return the number of marks that texts without secrets get, and the size of the texts in MB."""
    marks: Counter[str] = Counter()
    redactor = Redactor(on_redaction=lambda rule, count: marks.update({rule: count}))
    size = 0
    for text in texts:
        size += len(text.encode("utf-8", "replace"))
        for start in range(0, len(text), _CHARACTERS):
            redactor.redact_text(text[start : start + _CHARACTERS])
    return marks.total(), size / 1e6


def standard_library(*, tests: bool) -> Iterator[str]:
    """Yield the sources of the standard library, or those of its tests."""
    folder = Path(sysconfig.get_path("stdlib"))
    for path in sorted(folder.rglob("*.py")):
        parts = set(path.relative_to(folder).parts[:-1])
        if "site-packages" not in parts and tests == (not parts.isdisjoint({"test", "tests", "idle_test"})):
            yield path.read_text(encoding="utf-8", errors="replace")


def repository() -> Iterator[str]:
    """Yield the texts of this repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    files = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name in files.split("\0")[:-1]:
        try:
            yield (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


def identifiers(count: int = 2500) -> list[str]:
    """Return random UUIDs, hashes and base64."""
    maker = random.Random(1)  # noqa: S311 - repeatable
    sizes = (24, 48, 300, 3000)
    return [
        *(str(uuid.UUID(int=maker.getrandbits(128))) for _ in range(count)),
        *(maker.randbytes(size).hex() for size in (16, 20, 32, 64) for _ in range(count // 4)),
        *(base64.b64encode(maker.randbytes(size)).decode() for size in sizes for _ in range(count // 4)),
        *(base64.urlsafe_b64encode(maker.randbytes(size)).decode() for size in sizes for _ in range(count // 4)),
    ]


def row_of_score(source: str, version: str, result: Score) -> str:
    """Return a row of the table of strangers' examples."""
    found = result.secrets - len(result.missed)
    ratio = f"{result.recall:.2f}" if result.secrets else "-"
    return (
        f"| {source} | {version} | {result.secrets} | {found} | {ratio} | {result.lookalikes} | {len(result.changed)} |"
    )


def row_of_marks(source: str, version: str, texts: Iterable[str]) -> str:
    """Return a row of the table of texts without secrets."""
    marks, megabytes = marks_per_megabyte(texts)
    return f"| {source} | {version} | {megabytes:.1f} | {marks} | {marks / megabytes:.1f} |"


def tables(arguments: argparse.Namespace) -> str:
    """Return the tables; print what is missed, if asked for."""
    today = time.strftime("%Y-%m-%d")
    redactor = Redactor()
    found: list[tuple[str, str, Score]] = []
    if arguments.gitleaks:
        version = corpora.version(arguments.gitleaks)
        found.append(("gitleaks, all rules", version, score(corpora.gitleaks(arguments.gitleaks), redactor)))
    if arguments.detect_secrets:
        version = corpora.version(arguments.detect_secrets)
        found.append(
            ("detect-secrets, plugins", version, score(corpora.detect_secrets(arguments.detect_secrets), redactor))
        )
    if arguments.presidio:
        version = corpora.version(arguments.presidio)
        personal = scores_of_personal_data(corpora.presidio(arguments.presidio))
        found += [(f"Presidio, `{rule}`", version, result) for rule, result in personal.items()]
    if arguments.misses:
        for source, _, result in found:
            for example in result.missed:
                print(f"{source}: {example.rule}: missed {example.text!r}")
            for example in result.changed:
                print(f"{source}: {example.rule}: changed {example.text!r}")
    python = f"CPython {platform.python_version()}"
    return "\n".join(
        (
            f"Measured on {today} by `make redaction-recall`. Found means that redaction changed the text.\n",
            "| source | version | with a secret | found | recall | without | changed |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(row_of_score(*row) for row in found),
            "\nTexts that hold no secrets, apart from examples of passwords in documentation and tests:\n",
            "| text | version | MB | marks | marks per MB |",
            "| --- | --- | --- | --- | --- |",
            row_of_marks("standard library", python, standard_library(tests=False)),
            row_of_marks("tests of the standard library", python, standard_library(tests=True)),
            row_of_marks("this repository", today, repository()),
            row_of_marks("UUIDs, hashes, base64", "random", [" ".join(identifiers())]),
            "",
        )
    )


def main() -> None:
    """Print the tables, and write them if asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for source in ("gitleaks", "detect-secrets", "presidio"):
        parser.add_argument(f"--{source}", type=Path, metavar="DIR", help=f"a checkout of {source}")
    parser.add_argument("--misses", action="store_true", help="print what is missed, and look-alikes that change")
    parser.add_argument("--write", action="store_true", help=f"renew the tables of {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    if arguments.write and not (arguments.gitleaks and arguments.detect_secrets and arguments.presidio):
        sys.exit("--write needs --gitleaks, --detect-secrets and --presidio")
    text = tables(arguments)
    print(text)
    if arguments.write:
        page = PAGE.read_text(encoding="utf-8")
        head, tail = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
