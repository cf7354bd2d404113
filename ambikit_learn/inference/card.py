"""The model card: what the model is, from what it was trained with and what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from torch import nn

from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.models.run import Record
from ambikit_learn.pretext.tasks import TASKS

_ALIGNMENTS = {
    "rotate": "the field is turned so that the direction is at the front",
    "beamform": "a beam is pointed at the direction",
    "stereo": "two cardioids are pointed to the left and to the right of the direction",
    "omni": "only W is heard, so all directions sound the same",
}


def model_card(model: AlignmentModel, record: Record, name: str, license: str | None) -> str:
    """Return the text of a model card.

    Parameters
    ----------
    model : AlignmentModel
        What the card describes.
    record : Record
        Settings of its training, and its results.
    name : str
        Folder or repository to load it from.
    license : str or None
        Licence of the weights; omitted if None.

    Returns
    -------
    str
        Markdown with YAML front matter.
    """
    head = {
        "library_name": "ambikit",
        **({"license": license} if license else {}),
        "pipeline_tag": "feature-extraction",
        "tags": ["ambisonics", "spatial-audio", "audio", "audio-visual", "360-video"],
    }
    sections = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---",
        f"# {name.rpartition('/')[2]}",
        _summary(model, record),
        _loading(model, record, name),
        "## Model\n\n" + _table(("", ""), _description(model, record)),
    ]
    if record.settings:
        sections.append("## Training\n\n" + _table(("setting", "value"), _training(record)))
    sections += [_results(name, found) for name, found in record.evaluation.items()]
    sections.append("## Limits\n\n" + "\n".join(f"- {limit}" for limit in _limits(model, record)))
    return "\n\n".join(sections) + "\n"


def _summary(model: AlignmentModel, record: Record) -> str:
    """Return two sentences about the model."""
    text = (
        "An encoder of Ambisonic sound, heard towards any direction, and one of crops of 360° "
        "video, made with ambikit."
    )
    if record.settings:
        task = TASKS[model.net.settings["objective"]]
        text += f" They were trained together by {task.description}."
    return text


def _loading(model: AlignmentModel, record: Record, name: str) -> str:
    """Show how to load and use it, and in which conventions."""
    return f"""## Use

```python
from ambikit_learn import AmbiEncoder

encoder = AmbiEncoder.from_pretrained({json.dumps(name)})
heard = encoder.embed_file("scene.wav", azimuth=[0, 90], degrees=True)
heard.clip  # (2, {model.dim}): from the front and from the left
heard.frames, heard.times  # one embedding every {record.window:g} s; hop= for more
```

Sound is AmbiX: channels W, Y, Z, X (ACN), SN3D, of any sample rate: it is resampled to
{model.front_end.source_rate} Hz. x is front, y left, z up; azimuth runs counter-clockwise,
elevation upwards."""


def _description(model: AlignmentModel, record: Record) -> Iterable[tuple[str, str]]:
    """Describe networks and features."""
    net, front_end = model.net, model.front_end
    mel = front_end.mel
    yield "networks", f"preset {net.settings['preset']}"
    yield "audio encoder", f"{_parameters(net.audio)} parameters, {model.dim} values out"
    yield "video encoder", f"{_parameters(net.video)} parameters, {net.settings['frames']} frames"
    yield "direction", _ALIGNMENTS[front_end.alignment]
    yield "features", f"{front_end.kind}: {', '.join(front_end.channel_names)}"
    yield (
        "transform",
        f"{mel.window_length / mel.sample_rate * 1000:.4g} ms every "
        f"{mel.hop / mel.sample_rate * 1000:.4g} ms, {mel.n_mels} mel bands up to {mel.fmax:g} Hz",
    )
    yield "window", f"{record.window:g} s"


def _training(record: Record) -> Iterable[tuple[str, str]]:
    """List the settings of the training."""
    for part, values in record.public_settings().items():
        for name, value in values.items() if isinstance(values, Mapping) else [(part, values)]:
            if value is not None:
                yield (f"{part}.{name}" if name != part else part), f"`{value}`"


def _results(name: str, found: Mapping[str, Any]) -> str:
    """Return the results of an evaluation."""
    if not found.get("learned", True):
        return f"## Evaluation: {name}\n\nNot learned: the training ended where it began."
    if "table" in found:
        return f"## Evaluation: {name} ({found['data']})\n\n" + _task_table(found["table"])
    chance = found.get("chance", {})
    rows = [
        (row, _value(value), f"{chance[row]:.4g}" if row in chance else "")
        for row, value in found.get("rows", {}).items()
    ]
    return f"## Evaluation: {name}\n\n" + _table(
        ("measure", "mean [95% interval over clips]", "chance"), rows
    )


def _task_table(grid: Mapping[str, Any]) -> str:
    """Return the rows of a downstream task; what intervals cover stands below."""
    measures = grid["measures"]
    head = ("", *(f"{m['name']}, {m['unit']}" if m["unit"] else m["name"] for m in measures))
    rows = []
    for row in grid["rows"]:
        cells = []
        for measure in measures:
            scale = 100.0 if measure["unit"] == "%" else 1.0
            e = row["values"].get(measure["name"])
            bounds = [e and e[part] for part in ("mean", "low", "high")]
            known = [f"{scale * x:.3g}" for x in bounds if x is not None]
            cells.append(
                f"{known[0]} [{', '.join(known[1:])}]"
                if len(known) == 3
                else known[0]
                if known
                else ""
            )
        rows.append((row["name"], *cells))
    covered = "; ".join(f"{m['name']}: {m['interval']}" for m in measures)
    return f"{_table(head, rows)}\n\n95% intervals: {covered}."


def _limits(model: AlignmentModel, record: Record) -> Iterable[str]:
    """Yield the limits of the model that follow from its settings."""
    top = min(model.front_end.mel.fmax, model.front_end.source_rate / 2)
    yield f"It hears {record.window:g} s at a time, up to {top:g} Hz."
    yield "It takes first order: of higher orders the first four channels; no mono, no stereo."
    if str(record.settings.get("data", {}).get("path", "")).startswith("world:"):
        yield "It was trained on rendered scenes, not on recordings."
    if not record.evaluation:
        yield "No evaluation is on record."


def _value(value: Any) -> str:
    """Write an estimate with its interval, or whatever else was measured."""
    if isinstance(value, Mapping) and {"mean", "low", "high"} <= value.keys():
        return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _parameters(net: nn.Module) -> str:
    """Count parameters, in thousands or millions."""
    count = sum(p.numel() for p in net.parameters())
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Lay out a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
