"""An HTML page with the results and pictures of a run."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

from ambikit_learn._files import atomic_write
from ambikit_learn.evaluation.results import Results


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
    page = (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(title)}</title>'
        "<style>body{font:16px sans-serif;max-width:70em;margin:2em auto}img{max-width:100%}"
        "td,th{padding:.2em 1em;text-align:left}figure{margin:2em 0}</style>"
        f"<h1>{html.escape(title)}</h1><table><tr><th>task<th>measure<th>accuracy, % [95% interval]"
        f"<th>chance<th>clips</tr>{rows}</table>{figures}"
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
