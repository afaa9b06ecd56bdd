"""A real notebook kernel: what an audit shows there."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CELL = """
import numpy as np, pandas as pd, qaudit
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
model = LogisticRegression().fit(X, X["a"] > 0)
report = qaudit.audit(model, X, X["a"] > 0, positive="True", explainers=(), bits=3, quantizers="symmetric",
                      judge="symmetric(axis='tensor',bits=3)", formats="html", output="report")
report
"""


class Frames(HTMLParser):
    """The pages inside the frames of an output."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pages: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.pages += [value for key, value in attrs if tag == "iframe" and key == "srcdoc" and value]


def test_a_notebook_shows_page_one_frames_and_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    cells = [CELL, "report.findings", "print(report)", "qaudit.audit('nothing@1')"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    NotebookClient(book, timeout=250, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    audited, findings, printed, refused = (cell["outputs"] for cell in book.cells)
    (shown,) = [output["data"] for output in audited if output["output_type"] == "execute_result"]
    frames = Frames(shown["text/html"])
    assert frames.tags == ["p", "code", "iframe"]
    (page,) = frames.pages
    assert "Model audit report" in page
    assert "LogisticRegression" in page
    assert "script" not in Frames(page).tags
    assert len(shown["text/html"]) < 150_000
    assert str(tmp_path / "report" / "report.html") in shown["text/html"]
    assert len(shown["text/plain"]) < 200
    assert "<table" in findings[0]["data"]["text/html"]
    assert "QA-001" in findings[0]["data"]["text/html"]
    assert printed[0]["text"].startswith("<qaudit report of LogisticRegression: no limit set; exit code 0; ")
    assert refused[0]["ename"] == "Refused"
    assert "qaudit" + os.sep + "pipeline" not in "".join(refused[0]["traceback"])
