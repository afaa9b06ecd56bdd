"""Makes the report as one HTML file, for the screen and as the source of the PDF.

The page loads nothing from a network, is complete without JavaScript, and has a content policy that lists its styles and its
script by hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from qaudit.core.catalogue.sections import SECTIONS
from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE
from qaudit.core.numbers import whole as whole_number
from qaudit.errors import Refused
from qaudit.rendering.assets import font_rules, templates
from qaudit.rendering.custom_template.layout import DEFAULT, FIRST, Layout, contents, lay_out, linked, marked
from qaudit.rendering.custom_template.markup import Piece
from qaudit.rendering.pages.record import TO_DO
from qaudit.rendering.text import harmless, visible
from qaudit.rendering.verdict_marks import Theme, chart_rules, icons, ring, rules, variables
from qaudit.rendering.view import build
from qaudit.report.model import Report

LANGUAGES = ("en",)
LONGEST_PRINT = 20_000
GREYS: Mapping[Theme, tuple[str, str]] = {"light": ("#ffffff", "#6b7785"), "dark": ("#12181f", "#a3afbc")}
"""Of a theme: the line on a filled icon, and the grey of rings."""


@dataclass(slots=True)
class Numbering:
    """Figure and table numbers in reading order."""

    figures: int = 0
    tables: int = 0

    def figure(self) -> int:
        """The next figure."""
        self.figures += 1
        return self.figures

    def table(self) -> int:
        """The next table."""
        self.tables += 1
        return self.tables


def words(text: str, **values: Any) -> str:
    """The translation function of the templates. It returns the English text with the values put in."""
    return text % values if values else text


def page(report: Report, *, pdf: bool = False, lang: str = "en", custom_template: Mapping[str, Any] | None = None) -> str:
    """The whole report as HTML: for the screen, or as the source of the PDF. Refuses a language that has no catalogue.

    `custom_template` (name, digest, files) lays out everything after page one. Raises CustomTemplateError.
    """
    if lang not in LANGUAGES:
        raise Refused(f"lang: {lang!r} is not known; known: {', '.join(LANGUAGES)}")
    view = build(report, lang)
    layout = lay_out(custom_template, report.plain(), view, pdf) if custom_template else DEFAULT
    sheets = _styles(pdf)
    if custom_template:
        sheets.append(("", (templates() / "custom_template.css").read_text(encoding="utf-8") + layout.sheet))
    text = _filled(view, layout, sheets, pdf=pdf, lang=lang, script="" if pdf else _script())
    return linked(text) if custom_template else text


def page_one(report: Report, lang: str = "en") -> str:
    """Page one alone as HTML without a script, without contents, without links to other pages, and in the reader's own fonts."""
    layout = Layout((Piece(section=FIRST),))
    return linked(_filled(build(report, lang), layout, _styles(False, fonts=""), pdf=False, lang=lang, script=""))


def _filled(view: Json, layout: Layout, sheets: list[tuple[str, str]], *, pdf: bool, lang: str, script: str) -> str:
    """The templates filled with a view. Without a script there are no contents either, whose buttons need it."""
    rendered: str = (
        _environment(templates())
        .get_template("report.html.j2")
        .render(
            view={**view, "sections": contents(layout, view), "custom_template": layout.note},
            parts=layout.parts,
            marked=marked,
            pdf=pdf,
            lang=lang,
            styles=[{"media": media, "text": Markup(text)} for media, text in sheets],
            script=Markup(script),
            csp=_policy([text for _, text in sheets], [script] if script else []),
            numbering=Numbering(),
            to_do=TO_DO,
        )
    )
    return rendered


def _script() -> str:
    return (templates() / "script.js").read_text(encoding="utf-8")


@cache
def _environment(folder: Path) -> Environment:
    """The templates of a folder. Compiling them takes longer than filling them, so that a second page takes the compiled ones."""
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, finalize=_printed, keep_trailing_newline=True
    )
    environment.filters["whole"] = lambda value: NONE if value is None else whole_number(value)
    environment.filters["short"] = lambda digest: visible(str(digest).removeprefix("sha256:")[:16], 16)
    environment.globals["_"] = words
    return environment


def _printed(value: Any) -> Any:
    """Make every text that a template prints free of invisible characters, also where a page has not done so."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else harmless(value[:LONGEST_PRINT], "\n")


def _policy(sheets: list[str], scripts: list[str]) -> str:
    parts = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "font-src data:", "img-src data:"]
    if scripts:
        parts.append(f"script-src {' '.join(map(_hash, scripts))}")
    parts.append(f"style-src {' '.join(map(_hash, sheets))}")
    return "; ".join(parts)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _styles(pdf: bool, fonts: str | None = None) -> list[tuple[str, str]]:
    """(media, text) of every style element. `fonts` are the rules of the fonts; None: those of the report."""
    read = {name: (templates() / f"{name}.css").read_text(encoding="utf-8") for name in ("style", "print", "screen", "dark")}
    common = (
        (font_rules() if fonts is None else fonts)
        + "\n"
        + read["style"]
        + variables("light", ":root")
        + rules()
        + _icons("", "light")
    )
    if pdf:
        return [("", common + read["print"])]
    dark = read["dark"] + variables("dark", "ROOT") + chart_rules("dark", "ROOT") + _icons("ROOT ", "dark")
    chosen = dark.replace("ROOT", ":root[data-theme=dark]")
    asked = "@media (prefers-color-scheme:dark){" + dark.replace("ROOT", ":root:not([data-theme=light])") + "}"
    return [("", common), ("print", read["print"]), ("screen", read["screen"] + asked + chosen)]


def _icons(prefix: str, theme: Theme) -> str:
    """Icons of verdicts and of the states of a framework's items, as background images."""
    line, grey = GREYS[theme]
    shapes = {
        **icons(theme, line, grey),
        "st-here": f'<circle cx="8" cy="8" r="6.8" fill="{grey}"/>',
        "st-partial": ring(grey) + f'<path d="M8 2A6 6 0 0 0 8 14Z" fill="{grey}"/>',
        "st-not_here": ring(grey),
    }
    return "\n".join(f'{prefix}.i.{name}{{background-image:url("{_picture(inner)}")}}' for name, inner in shapes.items()) + "\n"


def _picture(inner: str) -> str:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{inner}</svg>'
    return f"data:image/svg+xml,{quote(svg)}"


def missing_templates(anchors: Iterable[str]) -> list[str]:
    """Sections that have no template."""
    return [anchor for anchor in anchors if not (templates() / "sections" / f"{anchor}.html.j2").is_file()]


if _missing := missing_templates(SECTIONS):
    raise ImportError(f"report_templates/sections: no template for {', '.join(_missing)}")
