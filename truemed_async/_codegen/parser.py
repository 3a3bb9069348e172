"""Reads the async source files: what they define, with which signatures, and where their names come from."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

Method = ast.FunctionDef | ast.AsyncFunctionDef
Import = tuple[bool, str | None, str]
"""Of an imported name: whether only types need it, its module (none: a plain import), its name there."""


class CodegenError(Exception):
    """Something that the rules do not cover."""


class Module:
    """A source file: its classes, and where its names come from."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.origins = dict(_imports(self.tree.body, only_for_types=False))

    def classes(self) -> list[ast.ClassDef]:
        """Return the public classes."""
        return [node for node in self.tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def _imports(body: Iterable[ast.stmt], *, only_for_types: bool) -> Iterator[tuple[str, Import]]:
    """Yield each imported name with: only for types, its module, its name there (no module: a plain import)."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, (only_for_types, None, alias.name)) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.name, (only_for_types, node.module, alias.name)) for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _imports(node.body, only_for_types=True)


def methods_of(node: ast.ClassDef) -> list[Method]:
    return [each for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]


def attributes_of(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Yield the client's resources: name, class, and the sentence below it."""
    for statement, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign):
            if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)):
                raise CodegenError(f"{ast.unparse(statement.target)} is not documented")
            yield ast.unparse(statement.target), ast.unparse(statement.annotation), str(below.value.value)


def type_variables_of(tree: ast.Module) -> set[str]:
    return {
        ast.unparse(node.targets[0])
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("TypeVar(")
    }


def return_type_of(method: Method) -> str:
    if method.returns is None:
        raise CodegenError(f"{method.name} has no return annotation")
    return ast.unparse(method.returns)


def parameters_of(method: Method) -> Iterator[tuple[str, str | None, str]]:
    """Yield each parameter: name, annotation, and default with its equals sign."""
    given = method.args
    if given.vararg or given.kwarg or given.posonlyargs:
        raise CodegenError(f"{method.name} has *args, **kwargs or positional-only parameters")
    without = [None] * (len(given.args) - len(given.defaults))
    for each, default in zip(given.args, [*without, *given.defaults], strict=True):
        yield _parameter(each, default)
    if given.kwonlyargs:
        yield "*", None, ""
    for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _parameter(each, default)


def _parameter(each: ast.arg, default: ast.expr | None) -> tuple[str, str | None, str]:
    if each.annotation is None and each.arg != "self":
        raise CodegenError(f"{each.arg} has no annotation")
    kind = None if each.annotation is None else ast.unparse(each.annotation)
    return each.arg, kind, "" if default is None else f" = {ast.unparse(default)}"


def iterable_parameter_of(method: Method) -> str | None:
    """Return the parameter that takes an iterable of the caller's, which must not run on the loop thread."""
    iterable = [name for name, kind, _ in parameters_of(method) if kind and "AsyncIterable" in kind]
    if iterable and (len(iterable) > 1 or "concurrency" not in [each.arg for each in method.args.kwonlyargs]):
        raise CodegenError(f"{method.name} takes iterables in a way that no rule covers")
    return iterable[0] if iterable else None


def forwarded(method: Method, iterable: str | None = None) -> str:
    """Return the call's arguments: each parameter under its own name."""
    positional = ["bridge" if each.arg == iterable else each.arg for each in method.args.args if each.arg != "self"]
    return ", ".join([*positional, *(f"{each.arg}={each.arg}" for each in method.args.kwonlyargs)])
