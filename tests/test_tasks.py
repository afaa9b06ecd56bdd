"""The whole road from two commands on three real tasks, and again under another time zone, language and hash seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from commandline import CREDIT, ELSEWHERE, Answer, another_user, credit, letter, qaudit, wage

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Task:
    """How a task is made, registered and run."""

    make: Callable[[Path], None]
    register: tuple[str, ...]
    run: tuple[str, ...]
    exit_code: int


JUDGE = "symmetric(axis='tensor',bits=4)"
LETTER = (
    *("letter@1", "--date", "2026-11-24", "--bits", "4,8", "--judge", JUDGE, "--quantizers", "symmetric,affine"),
    *("--explainers", "permutation,surrogate_tree,local_surrogate"),
)
TASKS = {
    "credit": Task(
        credit,
        ("--holdout", "holdout.csv", "--target", "deny", "--train", "train.csv", "--positive", "yes", "--groups", "afam,single"),
        (str(CREDIT / "audit.toml"),),
        1,
    ),
    "letter": Task(
        letter,
        ("--holdout", "holdout.csv", "--target", "letter", "--train", "train.csv"),
        LETTER,
        0,
    ),
    "wage": Task(
        wage,
        ("--holdout", "holdout.parquet", "--target", "wage", "--train", "train.parquet", "--groups", "ethnicity"),
        ("wage@1", "--date", "2026-11-24", "--bits", "4,8", "--judge", JUDGE),
        0,
    ),
}


@dataclass(frozen=True)
class Done:
    """A finished audit and a way to go on from it."""

    name: str
    folder: Path
    registered: Answer
    ran: Answer
    call: Callable[..., Answer]

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "first" / "report.json").read_text(encoding="utf-8"))

    def values(self, measure: str, **about: str) -> list[float | None]:
        return [
            row["value"]
            for row in self.report["evidence"]
            if row["measure"] == measure and all(row["about"].get(key) == value for key, value in about.items())
        ]


@pytest.fixture(scope="module", params=sorted(TASKS))
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Done:
    task, folder = TASKS[request.param], tmp_path_factory.mktemp(request.param)
    task.make(folder)
    call = partial(qaudit, home=folder / "registry", cwd=folder)
    registered = call("register", request.param, "model.skops", *task.register)
    return Done(request.param, folder, registered, call("run", *task.run, "-o", "first"), call)


def test_both_commands_answer(done: Done) -> None:
    assert (done.registered.code, done.registered.out.strip()) == (0, f"{done.name}@1"), done.registered.err
    assert done.ran.code == TASKS[done.name].exit_code, done.ran.err
    assert "Traceback" not in done.ran.err
    assert {path.name for path in (done.folder / "first").iterdir()} >= {
        "report.json", "report.html", "report.pdf", "report.md", "report.junit.xml", "seal.json", "timings.json", "log.txt",
    }  # fmt: skip


def test_the_seal_holds(done: Done) -> None:
    answer = done.call("verify", "first")
    assert answer.code == 0, answer.out + answer.err


def test_the_report_fits_its_schema(done: Done) -> None:
    schema = json.loads(done.call("schema", "report").out)
    problems = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(done.report)]
    assert problems == []


def test_the_reading_of_the_model_is_proved(done: Done) -> None:
    lowering = done.report["subject"]["lowering"]
    assert lowering["proved"] is True, lowering


def test_no_selected_plugin_failed(done: Done) -> None:
    failed = [row for row in done.report["plugins"] if row["status"] in ("failed", "broken")]
    assert failed == []
    assert [row for row in done.report["skipped"] if row["kind"] == "failed"] == []


def test_what_was_measured_fits_the_task(done: Done) -> None:
    judged = done.report["judged"]
    assert judged is not None
    if done.name == "wage":
        assert done.values("flips", candidate=judged) == []
        assert all(0.1 < value < 1.0 for value in done.values("r2", candidate="reference") if value is not None)
        assert done.values("mae_change", candidate=judged) or done.values("mae", candidate=judged)
    else:
        assert done.values("flips", candidate=judged)
        assert all(value is not None and value > 0.5 for value in done.values("accuracy", candidate="reference")[:1])
    assert len(done.report["candidates"]) >= 4
    assert {entry["kind"] for entry in done.report["explanations"]} >= {"importance", "tree"}


def test_every_difference_stands_beside_its_floor(done: Done) -> None:
    drifts = [row for row in done.report["evidence"] if row["measure"] == "drift"]
    floors = {(row["about"]["explainer"], row["about"].get("feature"), row["about"].get("value_of")) for row in
              done.report["evidence"] if row["measure"] == "drift_floor"}  # fmt: skip
    assert drifts
    for row in drifts:
        assert (row["about"]["explainer"], row["about"].get("feature"), row["about"].get("value_of")) in floors


def test_the_same_bytes_under_another_sky(done: Done) -> None:
    """Another user, folder, time zone, language, hash seed and number of workers: report.json, HTML and PDF are equal."""
    words = TASKS[done.name].run
    away = done.folder / "away"
    away.mkdir(exist_ok=True)
    again = qaudit(
        *("run", *words, "-o", away / "second", "--jobs", 1, "--no-store"),
        home=done.folder / "registry",
        cwd=away,
        env={**ELSEWHERE, "HOME": "/nonexistent"},
        before=another_user(),
    )
    assert again.code == done.ran.code, again.err
    for name in ("report.json", "report.html", "report.pdf"):
        assert (away / "second" / name).read_bytes() == (done.folder / "first" / name).read_bytes(), name


def test_the_page_says_who_was_audited(done: Done) -> None:
    page = (done.folder / "first" / "report.html").read_text(encoding="utf-8")
    assert done.name in page
    assert done.report["subject"]["digest"].removeprefix("sha256:")[:12] in page
    assert "http://" not in page.replace("http://www.w3.org/", "")


def test_the_limits_of_the_credit_example(done: Done) -> None:
    if done.name != "credit":
        assert done.report["assessments"] == []
        return
    verdicts = {row["limit"]["id"]: row["verdict"] for row in done.report["assessments"]}
    assert len(verdicts) == 10
    assert "outside" in verdicts.values()
    assert "within" in verdicts.values()
    assert done.report["next_steps"]
    assert "missing" in json.dumps(done.report["data"]["columns"])
    assert any(column["missing"] for column in done.report["data"]["columns"] if column["name"] == "pirat")
    used = {feature["name"] for feature in done.report["subject"]["features"]}
    assert not used & {"insurance", "afam", "single"}


def test_no_text_of_the_report_is_a_number_of_numpy(done: Done) -> None:
    """A text made from an array's element once read `np.float64(-0.02)`, and the histogram's bins were lost on the page."""
    text = (done.folder / "first" / "report.json").read_text(encoding="utf-8")
    assert "np.float64(" not in text
    ranges = [row["about"]["range"] for row in done.report["evidence"] if row["measure"] == "score_change_histogram"]
    assert ranges
    assert all(float(end) == float(end) for each in ranges for end in each.split(" to "))
