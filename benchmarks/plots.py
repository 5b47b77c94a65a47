"""One picture for each subject: a panel for each measure, a group of bars for each case."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Tuple

from benchmarks import OURS
from benchmarks.harness import Row, contenders_of, find_row, format_number, measures_of

_OUR_COLOUR = "#0c6b58"
_OTHER_COLOURS = ["#c9c2b8", "#a89f91", "#7d7468", "#5c554c"]


def draw(title: str, rows: List[Row], path: Path) -> None:
    """Write the plot of ``rows`` to ``path``, whose ending says the format."""
    import matplotlib as mpl

    mpl.use("Agg")
    # The same figures give the same file.
    mpl.rcParams["svg.hashsalt"] = "django-smart-storages"
    from matplotlib import pyplot

    measures = measures_of(rows)
    figure, panels = pyplot.subplots(
        len(measures), 1, figsize=(9, sum(_height(rows, each) for each in measures)), squeeze=False
    )
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for measure, panel in zip(measures, panels[:, 0]):
        _draw_panel(panel, measure, rows)
    figure.tight_layout()
    figure.savefig(str(path), metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _cases_with(rows: List[Row], measure: str) -> List[str]:
    return list({str(row["case"]): None for row in rows if row.get(measure) is not None})


def _height(rows: List[Row], measure: str) -> float:
    bars = sum(1 for row in rows if row.get(measure) is not None)
    return 0.9 + 0.32 * bars


def _draw_panel(panel: Any, measure: str, rows: List[Row]) -> None:
    contenders = contenders_of(rows)
    others = [name for name in contenders if name != OURS]
    colours = {OURS: _OUR_COLOUR, **dict(zip(others, _OTHER_COLOURS * len(others)))}
    labels, position, shown, values = [], 0.0, set(), []
    for case in _cases_with(rows, measure):
        for who in contenders:
            value = find_row(rows, case, who).get(measure)
            if value is None:
                continue
            values.append(value)
            panel.barh(
                position, value, 0.8, color=colours[who], label=None if who in shown else who
            )
            panel.text(value, position, f" {format_number(value)}", va="center", fontsize=8)
            shown.add(who)
            labels.append((position, case))
            position += 1
        position += 0.5
    _dress(panel, measure, labels, values)


def _dress(axes: Any, measure: str, labels: List[Tuple[float, str]], values: List[float]) -> None:
    positive = [value for value in values if value > 0]
    if positive and max(positive) / min(positive) > 50:
        # Bars of one pixel beside bars of a thousand say nothing.
        axes.set_xscale("log")
    axes.set_yticks([position for position, _ in labels])
    axes.set_yticklabels([case for _, case in labels], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(measure.replace("_", " "), fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="best")
