"""Write docs/quantizers.md and docs/explainers.md from the built-in plugins: docstring, formula, papers, settings.

`python tools/plugin_docs.py` rewrites the pages; tests/test_docs.py fails where they differ from the plugins.
"""

from __future__ import annotations

import importlib
import inspect
import tomllib
from pathlib import Path

from qaudit import Explainer, Quantizer, Setting, Subject

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
INTRO = {
    "quantizers": """# Quantizers

The built-in quantizers. They are discovered through entry points, as those of other packages are. Everything in a report is
measured on the values that the dequantization formula of `QuantizedTensor` gives; the report also prints the formula that made
the codes. `[[quantizers]]` in audit.toml chooses plugins and settings. Without it every discovered quantizer runs with the
settings below, and each combination of settings is a candidate.
[Write your own](write-a-quantizer.md).
""",
    "explainers": """# Explainers

The built-in explainers. They are discovered through entry points, as those of other packages are. Each runs on the reference
and on the candidate under assessment with the same rows and seeds, and does not know which of the two it explains. Differences
are shown beside a noise baseline: the differences between explanations of the reference with other seeds. `[[explainers]]` in
audit.toml chooses plugins and settings.
""",
}
SUBJECT = Subject(output="binary", features=(), classes=(), parameters=(), calibration=True, training=True)


def entry_points(kind: str) -> dict[str, str]:
    """Plugin name -> module, as pyproject.toml declares them."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(sorted(table["project"]["entry-points"][f"qaudit.{kind}"].items()))


def allowed(setting: Setting) -> str:
    """What may be chosen, in few words."""
    values = setting.default if setting.allowed is None else setting.allowed
    if isinstance(values, range):
        return f"{values[0]} to {values[-1]}"
    listed = [repr(value) for value in values]
    return ", ".join(listed) if len(listed) <= 8 else f"{listed[0]}, {listed[1]} ... {listed[-1]}"


def section(kind: str, name: str, module_name: str) -> str:
    """Heading, docstring and settings of one plugin."""
    module = importlib.import_module(module_name)
    record: Quantizer | Explainer = next(iter(getattr(module, f"qaudit_offer_{kind}")(SUBJECT)))
    lines = [f"## {name}", "", inspect.getdoc(module) or ""]
    if record.needs:
        lines += ["", f"Needs: {', '.join(record.needs)}."]
    if record.settings:
        lines += ["", "| setting | by default | allowed | |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{key}` | {', '.join(repr(value) for value in setting.default)} | {allowed(setting)} | {setting.help} |".replace(
                "|w|", r"\|w\|"
            )
            for key, setting in record.settings.items()
        ]
    return "\n".join(lines) + "\n"


def page(kind: str) -> str:
    """The whole page of a kind."""
    sections = [section(kind, name, module) for name, module in entry_points(kind).items()]
    return "\n".join([INTRO[kind], *sections])


if __name__ == "__main__":
    for kind in INTRO:
        (DOCS / f"{kind}.md").write_text(page(kind), encoding="utf-8")
