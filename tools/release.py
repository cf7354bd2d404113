"""Set the version everywhere it is stated: `make release VERSION=0.2.0`; `--check 0.2.0` asks.

The package, CITATION.cff and CHANGELOG.md move together: what was "Unreleased" becomes the section
of the version, dated today. Commit and tag yourself; the tag ``v0.2.0`` starts the workflow that
publishes.
"""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    """Run the command line."""
    if arguments[:1] == ["--check"] and len(arguments) == 2:
        wrong = [name for name, found in stated().items() if found != arguments[1]]
        if wrong:
            print(f"release: not {arguments[1]} in {', '.join(wrong)}", file=sys.stderr)
        return 2 if wrong else 0
    if len(arguments) != 1 or not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", arguments[0]):
        print("release: state one version, for example 0.2.0 or 0.2.0rc1", file=sys.stderr)
        return 2
    try:
        changed = edits(arguments[0], datetime.date.today().isoformat())
    except ValueError as error:
        print(f"release: {error}", file=sys.stderr)
        return 2
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
    print(f"Now: git commit -am 'Release {arguments[0]}' && git tag v{arguments[0]}")
    return 0


def edits(version: str, date: str) -> dict[Path, str]:
    """Return the new text of each file, or raise if one lacks the line to replace."""
    changelog = ROOT / "CHANGELOG.md"
    if f"## {version} " in changelog.read_text(encoding="utf-8"):
        raise ValueError(f"CHANGELOG.md has a section of {version} already")
    citation = ROOT / "CITATION.cff"
    package = ROOT / "ambikit/_version.py"
    return {
        package: replaced(package, r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"'),
        citation: dated(replaced(citation, r"(?m)^version: .*$", f"version: {version}"), date),
        changelog: replaced(
            changelog, r"(?m)^## Unreleased$", f"## Unreleased\n\n## {version} - {date}"
        ),
    }


def stated() -> dict[str, str | None]:
    """Return the version that each file states; of the changelog, that of its newest section."""
    patterns = {
        "ambikit/_version.py": r'(?m)^__version__ = "(.*)"$',
        "CITATION.cff": r"(?m)^version: (.*)$",
        "CHANGELOG.md": r"(?m)^## (\d\S*) - \d{4}-\d\d-\d\d$",
    }
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in patterns}
    found = {name: re.search(pattern, texts[name]) for name, pattern in patterns.items()}
    return {name: match and match[1] for name, match in found.items()}


def replaced(path: Path, pattern: str, text: str) -> str:
    """Return a file's text with the one line of a pattern replaced."""
    new, count = re.subn(pattern, text, path.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{path.name} states {pattern!r} {count} times instead of once")
    return new


def dated(citation: str, date: str) -> str:
    """Return a citation with its date of release."""
    line = f"date-released: {date}"
    if "date-released:" in citation:
        return re.sub(r"(?m)^date-released: .*$", line, citation)
    return citation.rstrip("\n") + f"\n{line}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
