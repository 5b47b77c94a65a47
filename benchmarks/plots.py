"""One picture for each subject: a panel for each measure, a group of bars for each case.

Every axis is linear and begins at zero, so that the bars of all panels can be read in the same way;
each bar has its number beside it.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Dict, List

from benchmarks import BOTO3, OURS, THEIRS
from benchmarks.measures import (
    MEASURES,
    Row,
    cases_of,
    contenders_of,
    find_row,
    format_number,
    measures_of,
)

_COLOURS = {OURS: "#0c6b58", THEIRS: "#c9a227", BOTO3: "#8a8f98"}
_FURTHER_COLOURS = ["#5b6c8f", "#b9b2a6", "#7d5a50"]
_WIDTH = 9.0
_BAR = 0.26  # inches
_HEADING = 0.68  # of a panel
_FOOT = 0.26  # below a panel, beside its axis
_TOP = 0.85  # for title and legend
_LABELS = 2.7  # left of the bars
_NUMBERS = 1.1  # right of them


def make(title: str, rows: List[Row]) -> Any:
    """Return the figure of ``rows``."""
    import matplotlib as mpl

    mpl.use("Agg")
    # The same figures give the same file; text stays text, which makes it a tenth of the size.
    mpl.rcParams["svg.hashsalt"] = "django-smart-storages"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    measures = [each for each in measures_of(rows) if MEASURES[each].better]
    heights = [_height(rows, each) for each in measures]
    whole = _TOP + sum(heights)
    figure = pyplot.figure(figsize=(_WIDTH, whole))
    colours = _colours(contenders_of(rows))
    top = whole - _TOP
    for measure, height in zip(measures, heights):
        place = [
            _LABELS / _WIDTH,
            (top - height + _FOOT) / whole,
            (_WIDTH - _LABELS - _NUMBERS) / _WIDTH,
            (height - _HEADING) / whole,
        ]
        _draw_panel(figure.add_axes(place), measure, rows, colours)
        top -= height
    figure.text(0.2 / _WIDTH, 1 - 0.2 / whole, title, fontsize=12, va="top")
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
    figure.legend(
        handles,
        list(colours),
        loc="upper left",
        bbox_to_anchor=(0.1 / _WIDTH, 1 - 0.42 / whole),
        ncol=len(colours),
        fontsize=8,
        frameon=False,
    )
    return figure


def draw(title: str, rows: List[Row], path: Path) -> None:
    """Write the plot of ``rows`` to ``path``, in the format of its extension."""
    figure = make(title, rows)
    from matplotlib import pyplot

    figure.savefig(str(path), metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _colours(contenders: List[str]) -> Dict[str, str]:
    further = iter(_FURTHER_COLOURS * len(contenders))
    return {who: _COLOURS.get(who) or next(further) for who in contenders}


def _bars_of(rows: List[Row], measure: str) -> List[Row]:
    return [row for row in rows if row.get(measure) is not None]


def _height(rows: List[Row], measure: str) -> float:
    gaps = len(cases_of(rows, measure)) * 0.5
    return _HEADING + _BAR * (len(_bars_of(rows, measure)) + gaps)


def _draw_panel(panel: Any, measure: str, rows: List[Row], colours: Dict[str, str]) -> None:
    position, ticks = 0.0, []
    for case in cases_of(rows, measure):
        first = position
        for who, colour in colours.items():
            value = find_row(rows, case, who).get(measure)
            if value is None:
                continue
            panel.barh(position, value, 0.9, color=colour)
            panel.text(value, position, f" {format_number(value)}", va="center", fontsize=8)
            position += 1
        ticks.append(((first + position - 1) / 2, textwrap.fill(case, 38)))
        position += 0.5
    panel.set_ylim(position - 0.75, -0.75)
    panel.set_xlim(left=0)
    panel.set_yticks([place for place, _ in ticks])
    panel.set_yticklabels([case for _, case in ticks], fontsize=8)
    better = f" ({MEASURES[measure].better} is better)"
    label = MEASURES[measure].label
    panel.set_title(label[0].upper() + label[1:] + better, fontsize=9, loc="left")
    panel.tick_params(labelsize=8, left=False)
    panel.set_xticks([0])
    for side in ("top", "right", "bottom"):
        panel.spines[side].set_visible(False)
