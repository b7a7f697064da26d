"""Read the examples with which other projects test their own rules, from checkouts of these projects."""

import ast
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Example(NamedTuple):
    """A text that a project's rule must find, or must leave alone.

    Attributes:
        rule: The rule's name in that project.
        text: The text.
        is_secret: Whether the rule must find something in it.
    """

    rule: str
    text: str
    is_secret: bool


def version(checkout: Path) -> str:
    """Return the tag or commit of a checkout, and the date of its last commit."""
    described = _git(checkout, "describe", "--tags", "--always", "--abbrev=8")
    return f"{described}, {_git(checkout, 'log', '-1', '--format=%cs')}"


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


_RECORDER = """package utils

import (
	"encoding/json"
	"os"

	"%s/config"
)

func record(rule string, isSecret bool, texts []string) {
	file, err := os.OpenFile(os.Getenv("EXAMPLES"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	for _, text := range texts {
		json.NewEncoder(file).Encode(map[string]any{"rule": rule, "text": text, "is_secret": isSecret})
	}
}

func values(texts map[string]string) (result []string) {
	for _, text := range texts {
		result = append(result, text)
	}
	return
}

func Validate(rule config.Rule, truePositives []string, falsePositives []string) *config.Rule {
	record(rule.RuleID, true, truePositives)
	record(rule.RuleID, false, falsePositives)
	return &rule
}

func ValidateWithPaths(rule config.Rule, truePositives, falsePositives map[string]string) *config.Rule {
	record(rule.RuleID, true, values(truePositives))
	record(rule.RuleID, false, values(falsePositives))
	return &rule
}
"""
"""Stands in place of the check that gitleaks' generators pass their examples to."""


def gitleaks(checkout: Path) -> list[Example]:
    """Return the true and false positives of gitleaks' rules. It needs go: the generators make most examples.

    They are run in a copy; some examples hold random characters, so that no two runs return quite the same.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy, examples = Path(folder, "gitleaks"), Path(folder, "examples.jsonl")
        shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns(".git"))
        module = re.search(r"^module (\S+)", (copy / "go.mod").read_text(), re.MULTILINE)
        generators = copy / "cmd/generate/config"
        (generators / "utils/validate.go").write_text(_RECORDER % (module[1] if module else ""))
        command = ["go", "run", ".", str(Path(folder, "gitleaks.toml"))]
        subprocess.run(command, cwd=generators, env=os.environ | {"EXAMPLES": str(examples)}, check=True)
        found = [Example(**json.loads(line)) for line in examples.read_text(encoding="utf-8").splitlines()]
    return [example for example in found if example.text]  # some rules look at the names of files only


_OTHER_PLUGINS = {"base", "high_entropy_strings", "ip_public"}
"""Plugins that judge randomness alone, or only public addresses."""


def detect_secrets(checkout: Path) -> list[Example]:
    """Return the lines with which detect-secrets tests its plugins, apart from those of randomness."""
    examples = []
    for path in sorted(checkout.glob("tests/plugins/*_test.py")):
        rule = path.stem.removesuffix("_test")
        if rule in _OTHER_PLUGINS:
            continue
        module = _Module(path)
        for names, case in module.cases():
            if names[1:] == ["should_flag"] and _is(case, str, bool):
                examples.append(Example(rule, case[0], case[1]))
            elif len(names) == 1 and type(case) is str:
                examples.append(Example(rule, case, is_secret=True))
        lines: dict[str, bool] = {}
        for line, secret in module.tables():
            # What is a secret depends on the kind of file; ours are texts without a kind.
            lines[line] = lines.get(line, False) or bool(secret)
        examples += [Example(rule, line, is_secret) for line, is_secret in lines.items()]
    return examples


_RECOGNIZERS = {
    "card_number": "credit_card", "email": "email", "iban": "iban", "ip_address": "ip", "phone": "phone",
    "us_ssn": "us_ssn",
}  # fmt: skip


def presidio(checkout: Path) -> list[Example]:
    """Return the texts with which Presidio tests the recognisers that resemble ours, under the names of our rules."""
    return [
        Example(rule, case[0], is_secret=case[names.index("expected_len")] > 0)
        for rule, recognizer in _RECOGNIZERS.items()
        for names, case in _Module(checkout / f"presidio-analyzer/tests/test_{recognizer}_recognizer.py").cases()
        if "expected_len" in names and _is(case, str)
    ]


def _is(case: Any, *types: type) -> bool:
    return type(case) is tuple and all(type(value) is kind for value, kind in zip(case, types, strict=False))


class _Module:
    """The examples in a test module, read without running it: texts and what is put together from texts."""

    def __init__(self, path: Path) -> None:
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._constants: dict[str, Any] = {}
        for node in self._tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._constants[node.targets[0].id] = self._value(node.value)

    def cases(self) -> Iterator[tuple[list[str], Any]]:
        """Yield the names and values of each parametrized case."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.parametrize":
                names = self._value(node.args[0])
                if isinstance(names, str) and isinstance(node.args[1], (ast.List, ast.Tuple)):
                    for element in node.args[1].elts:
                        yield [name.strip() for name in names.split(",")], self._value(element)

    def tables(self) -> Iterator[tuple[str, str | None]]:
        """Yield the lines and secrets of the tables of test cases."""
        for name, table in self._constants.items():
            if name.endswith("_TEST_CASES"):
                yield from (entry for entry in table if entry is not None and entry[0] is not None)

    def _value(self, node: ast.expr) -> Any:
        """Return the value of a constant expression, ``None`` for others."""
        value: Any = None
        match node:
            case ast.Constant():
                value = node.value
            case ast.Name():
                value = self._constants.get(node.id)
            case ast.List():
                value = [self._value(element) for element in node.elts]
            case ast.Tuple():
                value = tuple(map(self._value, node.elts))
            case ast.BinOp(op=ast.Add()):
                left, right = self._value(node.left), self._value(node.right)
                value = left + right if type(left) is type(right) is str else None
            case ast.Call(func=ast.Attribute(attr="format")):
                value = self._formatted(node)
        return value

    def _formatted(self, call: ast.Call) -> str | None:
        """Return the text that a call of ``format`` on a constant returns."""
        template = self._value(call.func.value) if isinstance(call.func, ast.Attribute) else None
        positional = [self._value(argument) for argument in call.args]
        named = {keyword.arg: self._value(keyword.value) for keyword in call.keywords if keyword.arg}
        if type(template) is not str or None in [*positional, *named.values()]:
            return None
        return template.format(*positional, **named)
