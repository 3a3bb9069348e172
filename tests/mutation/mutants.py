"""Makes the mutants of a module: mutmut's operators, and some more, on every line and not only inside functions."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs
import libcst as cst
import libcst.matchers as m
from mutmut.mutation.mutators import mutation_operators, operator_string


@attrs.frozen
class Mutant:
    """One change. ``name`` says what it is, and does not depend on line numbers."""

    module: str
    name: str
    source: str


def _string(node: cst.BaseString) -> Iterable[cst.BaseString]:
    """Take the first change of a string: its spellings in other cases say the same a second and a third time."""
    yield from list(operator_string(node))[:1]


def _less(node: cst.Integer) -> Iterable[cst.CSTNode]:
    """Take one away: mutmut only adds one."""
    yield cst.parse_expression(f"({node.evaluated_value - 1})")


def _nothing(node: cst.Return) -> Iterable[cst.Return]:
    """Return nothing."""
    if node.value is not None and not (isinstance(node.value, cst.Name) and node.value.value == "None"):
        yield node.with_changes(value=cst.Name("None"))


def _negated(node: cst.If | cst.IfExp) -> Iterable[cst.CSTNode]:
    """Take the other branch."""
    inner = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    negated = cst.UnaryOperation(cst.Not(), inner, lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(test=negated, **({"whitespace_before_test": cst.SimpleWhitespace(" ")} if isinstance(node, cst.If) else {}))  # fmt: skip


OPERATORS = [
    *[(kind, _string if operator is operator_string else operator) for kind, operator in mutation_operators],
    (cst.Integer, _less),
    (cst.Return, _nothing),
    (cst.If, _negated),
    (cst.IfExp, _negated),
]


class _Visitor(cst.CSTVisitor):
    def __init__(self) -> None:
        self.found: list[tuple[str, cst.CSTNode, cst.CSTNode]] = []
        self._where: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)):
            return False  # only declarations
        if isinstance(node, cst.Expr) and isinstance(node.value, (cst.SimpleString, cst.ConcatenatedString)):
            return False  # a docstring
        if isinstance(node, cst.Call) and m.matches(node.func, m.Name("cast")):
            for argument in node.args[1:]:
                argument.visit(self)
            return False  # read by type checkers alone
        if m.matches(node, m.Assign(value=m.Call(func=m.Name("TypeVar")))):
            return False
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            self._where.append(node.name.value)
        where = ".".join(self._where)
        for kind, operator in OPERATORS:
            if isinstance(node, kind):
                self.found += [(where, node, changed) for changed in operator(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, (cst.FunctionDef, cst.ClassDef)):
            self._where.pop()


def _difference(before: str, after: str) -> str:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[3:]
    gone, come = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return f"{gone}  =>  {come}"


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant that is another valid program."""
    tree = cst.parse_module(source)
    visitor = _Visitor()
    tree.visit(visitor)
    names: Counter[str] = Counter()
    seen = {source}
    for where, node, changed in visitor.found:
        mutated = tree.deep_replace(node, changed).code
        try:
            compile(mutated, module, "exec", dont_inherit=True)
        except SyntaxError:
            continue
        if mutated in seen:
            continue
        seen.add(mutated)
        name = f"{where or 'module'}: {_difference(source, mutated)}"
        names[name] += 1
        yield Mutant(module, name if names[name] == 1 else f"{name} (#{names[name]})", mutated)
