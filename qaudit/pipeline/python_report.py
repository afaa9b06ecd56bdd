"""What `qaudit.audit` returns: paths, frames, and page one for a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from qaudit.core.catalogue.verdicts import VERDICTS
from qaudit.core.evidence import canonical_json
from qaudit.core.json_values import Json
from qaudit.core.printable import printable
from qaudit.pipeline import report_frames
from qaudit.report.reading import parse_report

LARGEST_PAGE = 400_000
"""Characters of page one in a notebook. A larger page, of a policy with many long texts, is left to report.html."""
FRAME = "width:100%;height:640px;border:1px solid #c8d0d8"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Report:
    """A finished audit. `exit_code` is that of `qaudit run`. In a notebook it shows page one."""

    folder: Path
    exit_code: int
    content: Json
    """The whole report.json."""
    notes: tuple[str, ...]

    @property
    def json(self) -> Path:
        """The report as data, from which html and pdf are made."""
        return self.folder / "report.json"

    @property
    def html(self) -> Path | None:
        """The report as one page; None where it was not asked for."""
        return self._there("report.html")

    @property
    def pdf(self) -> Path | None:
        """The report on paper; None where it was not asked for or could not be made."""
        return self._there("report.pdf")

    @property
    def markdown(self) -> Path | None:
        """A summary in Markdown; None where it was not asked for."""
        return self._there("report.md")

    @property
    def junit(self) -> Path | None:
        """The limits as test cases in JUnit's XML; None where it was not asked for."""
        return self._there("report.junit.xml")

    @property
    def verdicts(self) -> dict[str, str]:
        """Verdict by the id of the limit."""
        return {str(each["limit"]["id"]): str(each["verdict"]) for each in self.content["assessments"]}

    @property
    def evidence(self) -> pd.DataFrame:
        """Everything that was measured, a row a number; the keys of `about` and of the interval are columns."""
        return report_frames.evidence(self.content)

    @property
    def candidates(self) -> pd.DataFrame:
        """The candidates, a row each, with what was measured of each over all holdout rows."""
        return report_frames.candidates(self.content)

    @property
    def findings(self) -> pd.DataFrame:
        """The findings, a row each."""
        return report_frames.findings(self.content)

    @property
    def limits(self) -> pd.DataFrame:
        """The limits of the policy, a row each, with the verdict and the number that was compared."""
        return report_frames.limits(self.content)

    def __repr__(self) -> str:
        return f"<qaudit report of {self._name()}: {self._limits()}; exit code {self.exit_code}; {str(self.folder)!r}>"

    def _repr_html_(self) -> str:
        """One line, which stays where a notebook takes frames away, and page one in a frame that may run no script."""
        # only a notebook asks for this page; a script need not wait for the templates
        from qaudit.rendering.html import page_one

        full = self.html or self.json
        line = f"qaudit report of {self._name()}: {self._limits()}; exit code {self.exit_code}. The whole report:"
        text = f"<p>{escape(line)} <code>{escape(str(full.resolve()))}</code></p>"
        page = page_one(parse_report(canonical_json(self.content).encode("utf-8")))
        if len(page) > LARGEST_PAGE:
            return text
        title = escape(f"Page one of the report of {self._name()}", quote=True)
        frame = f'<iframe sandbox="" style="{FRAME}" title="{title}" srcdoc="{escape(page, quote=True)}"></iframe>'
        return f"{text}\n{frame}"

    def _name(self) -> str:
        subject = self.content["subject"]
        version = "" if subject["version"] is None else f"@{subject['version']}"
        return printable(f"{subject['name']}{version}")

    def _limits(self) -> str:
        """ "1 outside, 2 within", by decreasing need of attention."""
        verdicts = list(self.verdicts.values())
        counted = [f"{verdicts.count(word)} {each.title.lower()}" for word, each in VERDICTS.items() if word in verdicts]
        return ", ".join(counted) or "no limit set"

    def _there(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.is_file() else None
