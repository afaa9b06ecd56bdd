"""The files that ship with the package: templates, styles and fonts."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

FONTS = {"400": "inter-400.woff2", "500": "inter-500.woff2", "600": "inter-600.woff2", "mono": "mono-400.woff2"}


def templates() -> Path:
    """The folder report_templates: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "report_templates", package.parent / "report_templates"):
        if (folder / "report.html.j2").is_file():
            return folder
    raise FileNotFoundError("report_templates: not found in the package nor beside it")


@cache
def font_bytes(face: str) -> bytes:
    """The woff2 file of a face: "400", "500", "600" or "mono"."""
    return (templates() / "fonts" / FONTS[face]).read_bytes()


@cache
def font_rules() -> str:
    """@font-face rules with the fonts as data URIs."""
    rules = []
    for face in FONTS:
        family, weight = ("Qaudit Mono", "400") if face == "mono" else ("Qaudit Sans", face)
        data = base64.b64encode(font_bytes(face)).decode("ascii")
        rules.append(
            f"@font-face{{font-family:'{family}';font-weight:{weight};font-style:normal;"
            f"src:url(data:font/woff2;base64,{data}) format('woff2')}}"
        )
    return "\n".join(rules)
