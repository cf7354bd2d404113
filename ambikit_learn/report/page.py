"""An HTML page with the results and pictures of a run."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

from markdown_it import MarkdownIt

from ambikit_learn._files import atomic_write
from ambikit_learn.evaluation.results import Results

_STYLE = (
    "<style>body{font:16px sans-serif;max-width:80em;margin:2em auto}img{max-width:100%}"
    "table{border-collapse:collapse}td,th{padding:.2em 1em;text-align:left}"
    "tr:nth-child(even){background:#f4f4f4}figure{margin:2em 0}</style>"
)


def write_page(
    path: Path, title: str, results: Iterable[Results], pictures: dict[str, str]
) -> None:
    """Write one HTML page: the table, and each picture (file name -> caption)."""
    rows = "".join(
        f"<tr><td>{r.task.upper()}</td><td>{html.escape(name)}</td><td>{r.shown(e)}</td>"
        f"<td>{100 * r.chance[name]:.0f}</td><td>{e.clips}</td></tr>"
        for r in results
        for name, e in r.rows.items()
    )
    figures = "".join(
        f'<figure><img src="{name}" alt="{html.escape(caption)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for name, caption in pictures.items()
    )
    _write(
        path,
        title,
        f"<h1>{html.escape(title)}</h1><table><tr><th>task<th>measure<th>accuracy, % [95% interval]"
        f"<th>chance<th>clips</tr>{rows}</table>{figures}",
    )


def write_markdown_page(path: Path, title: str, text: str) -> None:
    """Write one HTML page of a text in Markdown with tables; HTML in it is shown as text."""
    _write(path, title, MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


def _write(path: Path, title: str, body: str) -> None:
    head = f'<!doctype html><meta charset="utf-8"><title>{html.escape(title)}</title>{_STYLE}'
    with atomic_write(path) as temporary:
        temporary.write_text(head + body, encoding="utf-8")
