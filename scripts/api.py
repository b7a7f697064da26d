"""List the public Python interface, so that every change to it shows.

usage: python scripts/api.py            write api.txt
       python scripts/api.py --check    print what api.txt lacks or has in excess; exit code 1 if anything

It reads the source, so that every Python version writes the same. Modules, classes, functions and constants are public
if their names do not begin with an underscore. Left out: the hooks that LangChain defines, the command line, and
`semconv`, whose names are telemetry.
"""

import ast
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGE = _ROOT / "otel_callbacks"
_LISTING = _ROOT / "api.txt"
_LEFT_OUT = {"semconv"}
_HOOKS = ("on_", "ignore_", "run_inline", "raise_error")


def main(arguments: list[str]) -> int:
    """Write or check the listing, and return the exit code."""
    listing = "\n".join(_interface()) + "\n"
    if arguments != ["--check"]:
        _LISTING.write_text(listing, encoding="utf-8")
        return 0
    committed = _LISTING.read_text(encoding="utf-8")
    difference = difflib.unified_diff(
        committed.splitlines(), listing.splitlines(), "api.txt", "source", lineterm="", n=0
    )
    changes = list(difference)
    print("\n".join([*changes, "", "Intended? Then run: make api"]) if changes else "api.txt is what the source has")
    return 1 if changes else 0


def _interface() -> Iterator[str]:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(_PACKAGE.glob("*.py"))}
    exported = set(_exported(trees[_PACKAGE / "__init__.py"]))
    yield "otel_callbacks"
    yield from (f"    {name}" for name in sorted(exported))
    for path, tree in trees.items():
        statements = tree.body
        if path.stem.startswith("_"):  # of a private module, only what the package exports
            statements = [node for node in tree.body if getattr(node, "name", None) in exported]
        lines = [line for node in statements for line in _members(node)]
        if lines and path.stem not in _LEFT_OUT:
            yield f"otel_callbacks.{path.stem}"
            yield from (f"    {line}" for line in lines)


def _exported(package: ast.Module) -> Iterator[str]:
    for node in package.body:
        if isinstance(node, ast.Assign) and _name(node) == "__all__":
            yield from ast.literal_eval(node.value)


def _name(node: ast.AnnAssign | ast.Assign) -> str:
    return ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])


def _members(node: ast.stmt) -> Iterator[str]:
    """Yield the lines for one statement of a module or class; none if it is not public."""
    if isinstance(node, ast.ClassDef) and _is_public(node.name):
        bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
        yield f"class {node.name}{bases}"
        for inner in node.body:
            yield from (f"    {line}" for line in _members(inner))
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_public(node.name):
        yield from (f"@{ast.unparse(decorator)}" for decorator in node.decorator_list)
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        yield f"{node.name}({ast.unparse(node.args)}){returns}"
    elif isinstance(node, (ast.AnnAssign, ast.Assign)) and _is_value(node):
        yield ast.unparse(node)


def _is_value(node: ast.AnnAssign | ast.Assign) -> bool:
    """Tell whether this is a field, a constant or a type, rather than a module's logger or the like."""
    name = _name(node)
    return _is_public(name) and (isinstance(node, ast.AnnAssign) or name[0].isupper())


def _is_public(name: str) -> bool:
    return name == "__init__" or not name.startswith(("_", "self.", *_HOOKS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
