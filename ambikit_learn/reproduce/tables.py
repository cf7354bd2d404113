"""Tables of a comparison in Markdown, beside the published figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from ambikit_learn.data.cache_folder import CacheSettings
from ambikit_learn.data.open import WORLD, is_world
from ambikit_learn.evaluation.controls import CONTROLS
from ambikit_learn.reproduce.comparison import Comparison, Difference
from ambikit_learn.reproduce.paper import FINDINGS, PUBLISHED, VARIANTS, Finding, Published
from ambikit_learn.reproduce.pieces import Plan

COLUMNS = (
    ("avc", "1 crop"),
    ("avc", "4 crops"),
    ("avsa", "1 crop"),
    ("avsa", "4 crops"),
    ("avsa", "own sound among 4 views"),
    ("avsa", "aligned above turned"),
)
"""Tasks and rows of the main table."""
CAPTION = (
    "Accuracy in percent: mean ± standard deviation over training seeds, [95 % interval over "
    "clips of the mean over seeds]. The two are different variances: the interval says what other "
    "clips would change, the deviation what another training would. The ceiling is that of an "
    "oracle that knows the objects of rendered scenes and nothing else: what tells more, such as "
    "the room, can be above it."
)


def sections(
    found: Comparison, plan: Plan, failed: Mapping[str, str], pictures: Mapping[str, str]
) -> list[str]:
    """Return the sections of the report.

    Parameters
    ----------
    found : Comparison
        Finished runs.
    plan : Plan
        What they have in common.
    failed : mapping
        Name of a run that failed -> the reason.
    pictures : mapping
        Path of a picture from the report -> its caption.
    """
    parts = [_setting(plan)]
    if failed:
        parts.append("\n".join(f"- **{name} failed**: {why}" for name, why in failed.items()))
    if not found.runs:
        return [*parts, "No run is finished yet."]
    parts += [
        f"## Test (seed {plan.test_seed})",
        accuracies(found, "test"),
        CAPTION + _unlearned(found),
        "## Differences on the same test clips",
        differences(found, "avsa", "4 crops"),
        "## Findings of the papers",
        findings(found),
        "## Controls",
        controls(found),
        *(["## Downstream tasks", *tasks] if (tasks := downstream(found)) else []),
        "## Published figures",
        *(published(figures, found) for figures in PUBLISHED),
        f"## Validation (seed {plan.validation_seed})",
        validation(found),
        "## Parts of the test",
        details(found),
        "## Runs",
        runs(found),
    ]
    if pictures:
        parts.append("## Pictures")
        parts += [f"![{caption}]({path})\n\n*{caption}*" for path, caption in pictures.items()]
    return parts


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown.

    Examples
    --------
    >>> print(table(["a", "b"], [[1, 2]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [head, ["---"] * len(head), *rows]
    lined = ["| " + " | ".join(map(str, line)) + " |" for line in lines]
    lined[1] = "|" + "---|" * len(head)
    return "\n".join(lined)


def accuracies(found: Comparison, split: str) -> str:
    """Return the table of all variants, between guessing and ceiling."""
    head = ["variant", "seeds", *(f"{task.upper()} {row}" for task, row in COLUMNS)]
    references = [found.references(split, task, row) for task, row in COLUMNS]
    rows: list[list[object]] = [
        ["*guessing*", "", *(f"{100 * r[0]:.0f}" if r else "" for r in references)]
    ]
    for variant in found.variants:
        cells = [found.cell(variant, split, task, row) for task, row in COLUMNS]
        seeds = max((cell.seeds for cell in cells if cell), default=0)
        if seeds:
            rows.append([_title(variant), seeds, *(cell or "" for cell in cells)])
    if any(r and r[1] is not None for r in references):
        ceilings = [f"{100 * r[1]:.1f}" if r and r[1] is not None else "" for r in references]
        rows.append(["*ceiling*", "", *ceilings])
    return table(head, rows)


def validation(found: Comparison) -> str:
    """Return the accuracies of the validation split, if there is one."""
    if not any(run.record["results"].get("validation") for run in found.runs):
        return "The data have no validation clips."
    text = "Recipes are chosen by these; intervals are means of those of single seeds."
    return f"{accuracies(found, 'validation')}\n\n{text}"


def controls(found: Comparison) -> str:
    """Return the table of controls: a crop's own sound among four, when it says less."""
    row = next((row for run in found.runs for rows in run.controls.values() for row in rows), None)
    if row is None:
        return "No controls are measured yet."
    variants = [name for name in found.variants if any(r.controls for r in found.by_variant[name])]
    lines = []
    for name, control in CONTROLS.items():
        cells = []
        for variant in variants:
            runs_with = [run for run in found.by_variant[variant] if name in run.controls]
            values = [run.controls[name][row].mean for run in runs_with]
            cells.append(_mean(values))
        lines.append([name, *cells, "guessing" if control.guessing else ""])
    clips = next(run.controls for run in found.runs if run.controls)
    count = next(iter(clips.values()))[row].clips
    text = (
        "How often a crop finds its own sound among those of its clip's crops, in percent, "
        f"without a head, on {count} test clips; mean ± standard deviation over seeds. Guessing is "
        "25. What is left with the elevation alone is a short cut: no object is needed to use it."
    )
    return f"{table(['sound says', *variants, 'expected'], lines)}\n\n{text}"


def downstream(found: Comparison) -> list[str]:
    """Return a table for each downstream task: the first measure of each of its rows."""
    parts = []
    for task in dict.fromkeys(name for run in found.runs for name in run.tasks):
        of_variant = {
            variant: results
            for variant in found.variants
            if (results := [r.tasks[task] for r in found.by_variant[variant] if task in r.tasks])
        }
        first = next(iter(of_variant.values()))[0]
        measure = first.table.measures[0]
        names = dict.fromkeys(
            row.name for rs in of_variant.values() for r in rs for row in r.table.rows
        )
        scale = 100.0 if measure.unit == "%" else 1.0
        rows = []
        for variant, results in of_variant.items():
            cells = []
            for name in names:
                values = [
                    row.values[measure.name].mean
                    for r in results
                    for row in r.table.rows
                    if row.name == name and measure.name in row.values
                ]
                cells.append(_mean(values, scale))
            rows.append([_title(variant), len(results), *cells])
        text = (
            f"**{task}** on {first.data}: {measure.name}"
            f"{f', {measure.unit}' if measure.unit else ''}; mean ± standard deviation over "
            "training seeds. Intervals are in each run's own results and cover: "
            f"{measure.interval}."
        )
        parts += [text, table(["variant", "seeds", *names], rows)]
    return parts


def differences(found: Comparison, task: str, row: str) -> str:
    """Return the table of paired differences to the baseline, in points."""
    rows = []
    for variant in found.variants:
        if variant == "baseline" or not VARIANTS[variant].tells_directions:
            continue
        difference = found.difference(variant, "baseline", task, row)
        if difference is not None:
            pair = difference.pair
            counts = f"{pair.wins} : {pair.losses}"
            rows.append([_title(variant), points(difference), counts, f"{pair.p:.2g}"])
    if not rows:
        return "There is no pair of runs that have learned yet."
    head = [
        f"{task.upper()} {row}, minus log-mel",
        "points [paired 95 % interval over clips]",
        "clips better : worse",
        "p (exact sign test)",
    ]
    return table(head, rows)


def points(difference: Difference) -> str:
    """Return a difference in points, with its deviation over seeds and its interval."""
    e = difference.pair.difference
    spread = "" if difference.deviation is None else f" ± {100 * difference.deviation:.1f}"
    return f"{100 * e.mean:+.1f}{spread} [{100 * e.low:+.1f}, {100 * e.high:+.1f}]"


def findings(found: Comparison) -> str:
    """Return the table of published findings, and whether they hold here."""
    rows = []
    for finding in FINDINGS:
        difference = found.difference(finding.variant, finding.other, finding.task, finding.row)
        shown = "" if difference is None else points(difference)
        first, second = finding.published or (None, None)
        said = "" if first is None else f"{second} → {first}"
        rows.append([finding.text, finding.source, said, shown, verdict(finding, difference)])
    head = ["finding", "source", "published", "here, points", "does it hold here?"]
    return table(head, rows)


def verdict(finding: Finding, difference: Difference | None) -> str:
    """Return whether a finding holds."""
    if difference is None:
        return "not measured"
    if finding.sign == 0:
        return "no: it is better" if difference.sign > 0 else "yes"
    return {1: "yes", 0: "undecided", -1: "no: the opposite"}[difference.sign]


def published(figures: Published, found: Comparison) -> str:
    """Return a table of published figures, with the variant of each row."""
    rows = [
        [
            name,
            *("" if value is None else value for value in values),
            _title(figures.variants[name]) if name in figures.variants else "",
        ]
        for name, values in figures.rows.items()
    ]
    head = ["published", *figures.columns, "row here"]
    return f"**{figures.title}** ({figures.source})\n\n{table(head, rows)}"


def details(found: Comparison) -> str:
    """Return accuracies over parts of the test: means over seeds."""
    variants = [v for v in found.variants if found.by_variant[v][0].results("test", "avsa")]
    names: dict[tuple[str, str], None] = {}
    for variant in variants:
        for task in ("avc", "avsa"):
            result = found.by_variant[variant][0].results("test", task)
            names |= dict.fromkeys((task, row) for row in (result.details if result else ()))
    rows = []
    for task, row in names:
        cells: list[object] = []
        ceiling = ""
        for variant in variants:
            results = [run.results("test", task) for run in found.by_variant[variant]]
            values = [r.details[row].mean for r in results if r and row in r.details]
            cells.append(f"{100 * sum(values) / len(values):.1f}" if values else "")
            for r in results:
                if r and row in r.ceiling:
                    ceiling = f"{100 * r.ceiling[row]:.1f}"
        rows.append([f"{task.upper()} {row}", *cells, ceiling])
    return table(["part", *variants, "ceiling"], rows)


def runs(found: Comparison) -> str:
    """Return the table of runs: steps, time, machine, commit."""
    rows = []
    for run in found.runs:
        record = run.record
        stages = record["stages"].items()
        machine, software = record["machine"], record["software"]
        rows.append(
            [
                run.piece.name,
                ", ".join(f"{name} {stage['steps']}" for name, stage in stages),
                ", ".join(f"{stage.get('seconds', 0) / 60:.1f}" for _, stage in stages),
                f"{record['evaluation_seconds'] / 60:.1f}",
                f"{machine['cores']} × {machine['accelerator'] or machine['processor']}",
                software["commit"] or software["version"],
            ]
        )
    head = ["run", "steps", "minutes of training", "of evaluation", "machine", "commit"]
    return table(head, rows)


def _setting(plan: Plan) -> str:
    test = "" if plan.test_data == plan.data else f", tested on {_data(plan.test_data)}"
    command = (
        f"Preset `{plan.preset}`, recipe `{plan.recipe}`, trained on {_data(plan.data)}{test}."
    )
    if plan.steps:
        command += f" Steps: {plan.steps[0]} of AVC, {plan.steps[1]} of what follows."
    changed = ", ".join(f"`{name}: {value}`" for name, value in plan.settings.items())
    return command + (f" Settings: {changed}." if changed else "")


def _mean(values: Sequence[float], scale: float = 100.0) -> str:
    """Return a mean, with the standard deviation if there are several values."""
    if not values:
        return ""
    text = f"{scale * statistics.mean(values):.1f}"
    return f"{text} ± {scale * statistics.stdev(values):.1f}" if len(values) > 1 else text


def _data(name: str) -> str:
    """Return what data are, without the place where they lie."""
    if is_world(name):
        return f"`{name}`"
    try:
        settings = CacheSettings.load(name)
    except FileNotFoundError:
        return f"`{Path(name).name}`"
    return f"cached scenes of `{WORLD}{settings.preset}`, seed {settings.seed}"


def _title(variant: str) -> str:
    return f"{VARIANTS[variant].title} (`{variant}`)"


def _unlearned(found: Comparison) -> str:
    """Return a sentence on rows that are no result, if there are any."""
    cells = [found.cell(v, "test", task, row) for v in found.variants for task, row in COLUMNS]
    if all(cell is None or cell.learned == cell.seeds for cell in cells):
        return ""
    return (
        " `not learned`: the loss, or for AVSA how often a crop finds its own sound, has not left "
        "that of guessing; how many of the seeds is said in brackets, and the row is no result."
    )
