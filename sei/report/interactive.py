"""The interactive cluster map (zoom, hover, filter) as a Plotly figure."""

from __future__ import annotations

import html
import textwrap
from typing import Any

from sei.printable import printable
from sei.records import ErrorMap


def cluster_map(error_map: ErrorMap) -> Any:
    """Return a figure with one trace per error type; hovering shows a bad case's keyphrase, question and output."""
    import plotly.graph_objects as go

    members = {k.bad_case.problem.id: k for t in error_map.types for k in t.members}
    figure = go.Figure()
    for t in error_map.types:
        points = [p for p in error_map.points if p.error_type == t.name]
        figure.add_trace(
            go.Scatter(
                x=[round(p.x, 4) for p in points],
                y=[round(p.y, 4) for p in points],
                mode="markers",
                name=_plain(f"{t.name[:60]} ({len(t.members)})"),
                text=[_hover(members.get(p.problem_id)) for p in points],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    title = f"{len(error_map.points)} bad cases in {len(error_map.types)} error types"
    figure.update_layout(title=title, template="plotly_white", xaxis_visible=False, yaxis_visible=False)
    return figure


def _hover(keyphrase: Any) -> str:
    if keyphrase is None:
        return ""
    case = keyphrase.bad_case
    phrase, question, output = (_lines(x) for x in (keyphrase.phrase, case.problem.question, case.output))
    return f"<b>{phrase}</b><br>{question}<br><i>{output}</i>"


def _lines(text: str) -> str:
    return "<br>".join(_plain(line) for line in textwrap.wrap(text[:400], 70))


def _plain(text: str) -> str:
    """Return a text without anything that Plotly would read as HTML."""
    return html.escape(printable(text), quote=False)
