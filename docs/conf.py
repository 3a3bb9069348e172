"""Sphinx configuration: ``sphinx-build -nW -b html docs build``. The build does not use the network."""

from __future__ import annotations

import enum
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import attrs
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import cli_reference  # noqa: E402
import endpoint_table  # noqa: E402
import fault_catalog  # noqa: E402

from truemed_async import __version__, emulator, models  # noqa: E402

project = "truemed-async"
author = "The truemed-async developers"
copyright = "The truemed-async developers"  # noqa: A001
version = release = __version__

extensions = ["llms", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
if find_spec("sphinx_copybutton"):  # a build without the group `docs` only lacks the buttons
    extensions.append("sphinx_copybutton")
copybutton_prompt_text = "$ "
exclude_patterns = ["_build"]
html_theme = "furo"
if repository := os.environ.get("DOCS_REPOSITORY"):  # its address gives each page an "edit" link
    html_theme_options = {"source_repository": f"{repository}/", "source_branch": "main", "source_directory": "docs/"}
html_title = f"truemed-async {version}"
html_search_scorer = str(HERE / "search_scorer.js")
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["scrolling.js"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Some docstrings write code in single backticks, which is the default role of reStructuredText.
default_role = "code"
autoclass_content = "class"
autodoc_preserve_defaults = True  # as in the source: not the address of a function
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 80  # a longer signature has one parameter a line
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_mock_imports = ["pyspark"]  # takes minutes to install, and has one base class of ours
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # fields are described in the class: attrs gives them no docstring

nitpick_ignore = [
    # An alias of two literals, which the description of the parameter names.
    ("py:class", "Environment"),
    # The same for exports.
    ("py:class", "Format"),
    ("py:class", "Personal"),
    ("py:class", "Report"),
    # What the synchronous and the asynchronous stores on PostgreSQL share.
    ("py:class", "truemed_async.webhooks.postgres._SyncBase"),
    ("py:class", "truemed_async.webhooks.postgres._AsyncBase"),
    # The base class of updates; QualificationSessionUpdateParams is the public one.
    ("py:class", "truemed_async._core.bulk_update.UpdateRequest"),
]
nitpick_ignore_regex = [
    # Names of other projects: fetching their inventories needs the network.
    (
        "py:.*",
        r"(_pytest|abc|aiohttp|asyncio|collections|concurrent|datetime|decimal|dlt|enum|inspect|opentelemetry|os|psycopg|psycopg_pool|pyarrow|pyspark|redis|sqlite3|ssl|types|yarl)\..*",
    ),
    # The same names as docstrings and signatures abbreviate them.
    (
        "py:class",
        r"(AsyncGenerator|AsyncIterable|AsyncIterator|Iterable|Iterator|Mapping|Sequence|URL|date|datetime|timedelta|Decimal)",
    ),
    # Internal modules whose names appear in signatures and are not public.
    ("py:(class|obj)", r"truemed_async\.(emulator|exports)\.[a-z_]+\..*|truemed_async\._sensitive\..*"),
    ("py:class", r"Bound|Eligibility|Failure|Filters|Handler|Parameter|Request"),
    ("py:(class|obj)", r"typing\.Annotated\[.*|Callable\[.*"),
    # Type variables are not documented objects.
    ("py:(class|obj)", r"(.*\.)?([ACFKMRST]|AnyClient)"),
]


class ModelReference(SphinxDirective):
    """``{models}``: the reference of every public model, one source file after another."""

    def run(self) -> list[nodes.Node]:
        kinds = {name: "class" if isinstance(getattr(models, name), type) else "function" for name in models.__all__}
        text = "\n\n".join(f".. auto{kind}:: truemed_async.{name}" for name, kind in kinds.items())
        return self.parse_text_to_nodes(f"```{{eval-rst}}\n{text}\n```")


class EmulatorReference(SphinxDirective):
    """``{emulator}``: the reference of every public class of the emulator, without its internal members."""

    HIDDEN = (
        "actions, apply, apply_on_enqueue, apply_on_send, change, charge, charge_token, computed, create, entity, event, "
        "event_payload, from_request, hit, id_field, idempotency, insert, kind, known, lock, members, move, name, new_id, "
        "page, paginate, parse, prefix, provision, receives, record_attempt, record_charge, record_dispute, record_end, "
        "record_refund, record_response_body, record_start, record_verification, refusal, replica, request_schema, "
        "requeue_unsent, response_schema, scope_type, seconds_until_due, serialize, serialize_items, stores, take_due, "
        "take_unverified, view, waiting, webhook_payload"
    )

    def run(self) -> list[nodes.Node]:
        names = [name for name in dir(emulator) if isinstance(getattr(emulator, name), type)]
        own = [name for name in names if getattr(emulator, name).__module__.startswith(emulator.__name__)]
        text = "\n\n".join(
            f".. autoclass:: {emulator.__name__}.{name}\n   :exclude-members: {self.HIDDEN}" for name in own
        )
        return self.parse_text_to_nodes(f"```{{eval-rst}}\n{text}\n```")


class EndpointTable(SphinxDirective):
    """``{endpoints}``: the table of all endpoints, generated from the values that the client uses."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(endpoint_table.markdown())


class CommandReference(SphinxDirective):
    """``{cli}``: every command with its arguments and options, generated from the program."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(cli_reference.markdown(), allow_section_headings=True)


class FaultCatalog(SphinxDirective):
    """``{faults}``: every fault of the emulator with its parameters and an example, generated from the registries."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(fault_catalog.markdown(), allow_section_headings=True)


# What users construct. Other models, errors, enumerations, protocols and parts of the emulator come from the library:
# their constructors are no part of the reference.
CONSTRUCTED = frozenset(
    {
        "AmountDetails",
        "CatalogItemParams",
        "DeepLink",
        "Dialect",
        "Emulator",
        "Endpoint",
        "LineItem",
        "NextBillInfo",
        "OrderItem",
        "PaymentMethod",
        "QualificationSessionUpdateParams",
        "ResponseBytes",
        "RequestOptions",
        "RetryPolicy",
        "RowType",
        "Timeouts",
        "UserMatch",
    }
)


def hide_constructors(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str, None] | None:
    """Leave out the signature of a class that users do not construct."""
    if not signature or not isinstance(obj, type) or obj.__name__ in CONSTRUCTED:
        return None
    is_made_by_library = (
        attrs.has(obj)
        or issubclass(obj, (BaseException, enum.Enum))
        or getattr(obj, "_is_protocol", False)
        or name.startswith(f"{emulator.__name__}.")
    )
    return ("", None) if is_made_by_library else None


def keep_sentences(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Keep napoleon from reading "text: more text" of a field or property as its type and description."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment, so that the first line holds no colon


def hide_internal_bases(app: Sphinx, doctree: nodes.document) -> None:
    """Leave out the line of bases that names nothing public: ``object``, or what some classes share internally."""
    for line in list(doctree.findall(nodes.paragraph)):
        start, _, bases = line.astext().partition("Bases: ")
        if not start and bases and all(base == "object" or base.startswith("_") for base in bases.split(", ")):
            line.parent.remove(line)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-signature", hide_constructors)
    app.connect("autodoc-process-docstring", keep_sentences, priority=400)  # napoleon has 500
    app.connect("doctree-read", hide_internal_bases)
    app.add_directive("cli", CommandReference)
    app.add_directive("emulator", EmulatorReference)
    app.add_directive("endpoints", EndpointTable)
    app.add_directive("faults", FaultCatalog)
    app.add_directive("models", ModelReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
