"""Writes ``llms.txt``, a list of all pages with a sentence about each, and ``llms-full.txt``, the text of all pages.

The text is that of the built pages, and so contains what is generated: the reference, the commands, the faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.writers.text import TextTranslator


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write both files beside the pages."""
    if exception is not None or app.builder.format != "html":
        return
    root = app.config.root_doc
    first = read_page(app, root)
    listing, texts = [f"# {app.config.project}\n", f"> {first_sentence(first)}\n"], [text_of(app, root, first)]
    for caption, pages in sections(app.env, root):
        listing.append(f"## {caption}\n")
        for page in pages:
            doctree = read_page(app, page)
            title, url = app.env.titles[page].astext(), app.builder.get_target_uri(page)
            sentence = first_sentence(doctree)
            listing.append(f"- [{title}]({url}){': ' if sentence else ''}{sentence}")
            texts.append(text_of(app, page, doctree))
        listing.append("")
    Path(app.outdir, "llms.txt").write_text("\n".join(listing), encoding="utf-8")
    Path(app.outdir, "llms-full.txt").write_text("\n\n".join(texts), encoding="utf-8")


def sections(env: BuildEnvironment, root: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the caption of each table of contents of the first page, and the pages below it."""
    for toctree in env.get_doctree(root).findall(addnodes.toctree):
        yield toctree["caption"], [each for page in toctree["includefiles"] for each in with_pages_below(env, page)]


def with_pages_below(env: BuildEnvironment, page: str) -> Iterator[str]:
    yield page
    for each in env.toctree_includes.get(page, ()):
        yield from with_pages_below(env, each)


def read_page(app: Sphinx, page: str) -> nodes.document:
    """Return a page with resolved links, and without its table of contents, which would list all headings again."""
    doctree = app.env.get_doctree(page)
    for toctree in list(doctree.findall(addnodes.toctree)):
        toctree.parent.remove(toctree)
    return app.env.get_and_resolve_doctree(page, app.builder, tags=app.tags, doctree=doctree)


def first_sentence(doctree: nodes.document) -> str:
    """Return the first sentence of the text, not of a table or a list."""
    paragraphs = (each for each in doctree.findall(nodes.paragraph) if isinstance(each.parent, nodes.section))
    paragraph = next(paragraphs, None)
    return "" if paragraph is None else re.split(r"(?<=[.!?])\s(?=[A-Z])", " ".join(paragraph.astext().split()))[0]


def text_of(app: Sphinx, page: str, doctree: nodes.document) -> str:
    visitor = TextTranslator(doctree, app.builder)
    doctree.walkabout(visitor)
    return f"<!-- {app.builder.get_target_uri(page)} -->\n\n{visitor.body}"
