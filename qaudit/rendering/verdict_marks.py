"""How verdicts look: markers in charts, icons on the pages, and the style rules of their colours. A shape each, so that colour is
never alone."""

from __future__ import annotations

from typing import Literal, assert_never

from qaudit.core.catalogue.verdicts import VERDICTS, Colours, Shape, Verdict

Marker = Literal["circle", "square", "diamond", "up"]
Theme = Literal["light", "dark"]


def marker(word: str) -> Marker:
    """The marker of a verdict in charts."""
    shape = VERDICTS[word].shape
    match shape:
        case "disc" | "ring" | "barred ring":
            return "circle"
        case "square" | "diamond":
            return shape
        case "triangle":
            return "up"
        case _:
            assert_never(shape)


def fills() -> dict[str, str]:
    """Word -> the fill of its marker on paper."""
    return {word: f'fill="{verdict.light.mark}"' for word, verdict in VERDICTS.items()}


def ring(grey: str) -> str:
    """An empty ring in a box of 16 x 16."""
    return f'<circle cx="8" cy="8" r="6" fill="none" stroke="{grey}" stroke-width="1.6"/>'


def icon(shape: Shape, fill: str, line: str, grey: str) -> str:
    """A shape in a box of 16 x 16: filled with `fill`, drawn on in `line`; rings in `grey`."""
    stroke = f'fill="none" stroke="{line}" stroke-width="1.8"'
    match shape:
        case "disc":
            return f'<circle cx="8" cy="8" r="7" fill="{fill}"/><path d="M4.6 8.2L7 10.6L11.4 5.8" {stroke}/>'
        case "triangle":
            return f'<path d="M8 1L15.4 14.6H.6Z" fill="{fill}"/><path d="M8 5.6V10M8 11.4V13" {stroke}/>'
        case "square":
            return f'<path d="M1 1H15V15H1Z" fill="{fill}"/><path d="M4.8 4.8L11.2 11.2M11.2 4.8L4.8 11.2" {stroke}/>'
        case "diamond":
            return f'<path d="M8 .4L15.6 8L8 15.6L.4 8Z" fill="{fill}"/><path d="M4.8 8H11.2" {stroke}/>'
        case "ring":
            return ring(grey)
        case "barred ring":
            return ring(grey) + f'<path d="M5 8H11" fill="none" stroke="{grey}" stroke-width="1.6"/>'
        case _:
            assert_never(shape)


def icons(theme: Theme, line: str, grey: str) -> dict[str, str]:
    """Word -> its icon."""
    return {word: icon(verdict.shape, _colours(verdict, theme).mark, line, grey) for word, verdict in VERDICTS.items()}


def rules() -> str:
    """Style rules of every verdict, whatever the theme: its word, what it frames, and its key figure."""
    lines = []
    for word in VERDICTS:
        name = _variable(word)
        lines.append(f".v.{word}{{color:var({name})}}")
        lines.append(f".verdict.{word},.band.{word}{{border-color:var({name}-edge);background:var({name}-bg)}}")
        lines.append(f".key.{word}{{border-color:var({name}-edge)}}")
    return "\n".join(lines) + "\n"


def variables(theme: Theme, root: str) -> str:
    """The colours of a theme as variables of the element `root`."""
    declarations = []
    for word, verdict in VERDICTS.items():
        name, colours = _variable(word), _colours(verdict, theme)
        declarations.append(f"{name}:{colours.word};{name}-edge:{colours.edge};{name}-bg:{colours.background}")
    return f"{root}{{{';'.join(declarations)}}}\n"


def chart_rules(theme: Theme, root: str) -> str:
    """The fill of markers where the page under `root` has another theme than paper."""
    return "\n".join(f"{root} svg .{word}{{fill:{_colours(verdict, theme).mark}}}" for word, verdict in VERDICTS.items()) + "\n"


def _variable(word: str) -> str:
    return f"--{word.replace('_', '-')}"


def _colours(verdict: Verdict, theme: Theme) -> Colours:
    return verdict.light if theme == "light" else verdict.dark
