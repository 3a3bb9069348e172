"""Writes the synchronous classes: signatures, defaults and docstrings are copied, and each body is one line."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from truemed_async._codegen.parser import (
    CodegenError,
    Import,
    Method,
    Module,
    attributes_of,
    forwarded,
    iterable_parameter_of,
    methods_of,
    parameters_of,
    return_type_of,
    type_variables_of,
)
from truemed_async._codegen.rules import (
    ALLOWED_PHRASES,
    BODIES,
    DOC_REPLACEMENTS,
    FORBIDDEN_WORDS,
    HEADER,
    NAMES,
    SKIPPED_METHODS,
    TYPES,
)

PACKAGE = Path(__file__).parents[1]
WIDTH = 120


class Writer:
    """Collects the generated classes, the imports that they need, and which rules were used."""

    def __init__(self, package: Path = PACKAGE) -> None:
        self.package = package
        self.unused = {*DOC_REPLACEMENTS, *TYPES, *NAMES, *SKIPPED_METHODS, *BODIES, *ALLOWED_PHRASES}
        self.blocks: list[str] = []
        self.needed: set[Import] = {
            (False, "truemed_async", "resources"),
            (False, "truemed_async.client", "AsyncTruemed"),
            (False, "truemed_async.sync._base", "wrap_secret"),
            (False, "truemed_async.sync._base", "bridge_stream"),
            (False, "truemed_async.sync._base", "reject_session"),
            (False, "truemed_async.sync._base", "format_repr"),
            (False, "truemed_async.sync._runner", "runner"),
            (False, "truemed_async.sync._stream", "SyncStream"),
        }

    def source(self) -> str:
        """Return the whole file."""
        modules = [Module(path) for path in sorted((self.package / "resources").glob("[a-z]*.py"))]
        names = [self._resource(module, node) for module in modules for node in module.classes()]
        self._client(Module(self.package / "client.py"), names)
        if self.unused:
            raise CodegenError(f"rules that apply to nothing: {sorted(self.unused)}")
        exports = ", ".join(f'"{name}"' for name in [*names, "Truemed"])
        head = f"{HEADER}\n{self._import_block()}\n__all__ = [{exports}]\n"
        return "\n\n".join([head, *self.blocks])

    def _import_block(self) -> str:
        """Write the imports: a line a module, and apart those that only types need."""
        always, for_types = (
            {
                module: sorted(n for t, m, n in self.needed if t is only and m == module)
                for t, module, _ in self.needed
                if t is only
            }
            for only in (False, True)
        )
        always.setdefault("typing", []).append("TYPE_CHECKING")
        return "\n".join(
            [*_import_lines(always), "", "if TYPE_CHECKING:", *(f"    {line}" for line in _import_lines(for_types)), ""]
        )

    def _resource(self, module: Module, node: ast.ClassDef) -> str:
        lines = [
            f"class {node.name}:",
            *self._docstring(node),
            "",
            '    __slots__ = ("_async",)',
            "",
            f"    def __init__(self, wrapped: resources.{node.name}) -> None:",
            "        self._async = wrapped",
        ]
        for method in methods_of(node):
            if not method.name.startswith("_"):
                lines += ["", *self._method(module, method)]
        self.blocks.append("\n".join(lines) + "\n")
        return node.name

    def _client(self, module: Module, resources: list[str]) -> None:
        node = next(each for each in module.classes() if each.name == "AsyncTruemed")
        attributes = list(attributes_of(node))
        if sorted(kind for _, kind, _ in attributes) != sorted(resources):
            raise CodegenError("the client's attributes and the resource classes differ")
        texts = {name: self._reworded(text) for name, _, text in attributes}
        lines = [
            "class Truemed:",
            *self._docstring(node),
            "",
            "    __slots__ = {  # with what `help` says of each",
            *(
                f'        "{name}": {json.dumps(texts.get(name, ""), ensure_ascii=False)},'
                for name in sorted(["__weakref__", "_async", *texts])
            ),
            "    }",
        ]
        for name, kind, _ in attributes:
            lines += ["", f"    {name}: {kind}", f'    """{texts[name]}"""']
        for method in methods_of(node):
            if method.name in SKIPPED_METHODS:
                self.unused.discard(method.name)
            elif method.name in BODIES:
                self.unused.discard(method.name)
                lines += ["", *self._special_method(module, method, attributes)]
            else:
                lines += ["", *self._method(module, method)]
        self.blocks.append("\n".join(lines) + "\n")

    def _special_method(self, module: Module, method: Method, attributes: list[tuple[str, str, str]]) -> list[str]:
        lines = [*self._signature(module, method), *self._docstring(method, required=False)]
        for template in BODIES[method.name]:
            if template in ("{resources}", "{copied resources}"):
                owner = "self" if template == "{resources}" else "copy"
                lines += [f"        {owner}.{name} = {kind}({owner}._async.{name})" for name, kind, _ in attributes]
            else:
                lines.append("        " + template.format(arguments=forwarded(method)))
        return lines

    def _method(self, module: Module, method: Method) -> list[str]:
        """Write one public method: the signature as it is, and a body of one line."""
        lines = [*self._signature(module, method), *self._docstring(method)]
        returns = return_type_of(method)
        iterable = iterable_parameter_of(method)
        call = f"self._async.{method.name}({forwarded(method, iterable)})"
        if isinstance(method, ast.AsyncFunctionDef):
            running = f"runner.run({', '.join(filter(None, (f'self._async.{method.name}', forwarded(method))))})"
            body = running if returns == "None" else f"return {running}"
        elif returns.startswith("Stream["):
            body = (
                f"return bridge_stream(lambda bridge: {call}, {iterable}, concurrency)"
                if iterable
                else f"return SyncStream({call})"
            )
        elif [ast.unparse(each) for each in method.decorator_list] == ["property"]:
            lines.insert(0, "    @property")
            body = f"return self._async.{method.name}"
        else:
            raise CodegenError(f"{method.name} is neither a coroutine nor a stream nor a property")
        return [*lines, f"        {body}"]

    def _signature(self, module: Module, method: Method) -> list[str]:
        parameters = list(parameters_of(method))
        returns = self._typed(return_type_of(method))
        parts = [
            text if kind is None else f"{text}: {self._typed(kind)}{default}" for text, kind, default in parameters
        ]
        self._import_names(
            module, [*(kind for _, kind, _ in parameters if kind), *(d for *_, d in parameters), returns]
        )
        if method.name in NAMES:
            self.unused.discard(method.name)
        name = NAMES.get(method.name, method.name)
        line = f"    def {name}({', '.join(parts)}) -> {returns}:"
        if len(line) <= WIDTH:
            return [line]
        return [f"    def {name}(", *(f"        {part}," for part in parts), f"    ) -> {returns}:"]

    def _typed(self, annotation: str) -> str:
        for old, new in TYPES.items():
            if old in annotation:
                self.unused.discard(old)
                annotation = annotation.replace(old, new)
        return annotation

    def _import_names(self, module: Module, texts: Iterable[str]) -> None:
        for text in texts:
            for node in ast.walk(ast.parse(self._typed(text).removeprefix(" = ") or "None")):
                if isinstance(node, ast.Name) and node.id in module.origins:
                    self.needed.add(module.origins[node.id])
                elif isinstance(node, ast.Name) and node.id in type_variables_of(module.tree):
                    self.needed.add((False, "truemed_async.client", node.id))

    def _docstring(self, node: ast.ClassDef | Method, *, required: bool = True) -> list[str]:
        text = ast.get_docstring(node, clean=False)
        if text is None:
            if required:
                raise CodegenError(f"{node.name} has no docstring")
            return []
        indent = "    " if isinstance(node, ast.ClassDef) else "        "
        return [f'{indent}"""{self._reworded(text)}"""']

    def _reworded(self, text: str) -> str:
        for old, new in DOC_REPLACEMENTS.items():
            if old in text:
                self.unused.discard(old)
                text = text.replace(old, new)
        checked = text
        for words in ALLOWED_PHRASES:
            if words in checked:
                self.unused.discard(words)
                checked = checked.replace(words, "")
        if found := FORBIDDEN_WORDS.search(checked):
            raise CodegenError(f"a docstring says {found[0]!r} and no rule rewords it: {text.splitlines()[0]!r}")
        return text


def _import_lines(names: Mapping[str | None, list[str]]) -> list[str]:
    plain = [f"import {name}" for name in names.get(None, [])]
    return plain + [
        f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(filter(None, names))
    ]
