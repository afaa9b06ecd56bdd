"""Which candidate is judged; refits of the reference and of a candidate against training by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from hosting import hooks_for
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from qaudit.core.evidence import Skipped
from qaudit.core.records import Decline
from qaudit.errors import Refused
from qaudit.pipeline.selection import assessed_candidate, candidates_named
from qaudit.pipeline.stages.load import LoadRequest, load
from qaudit.pipeline.stages.quantize import quantize
from qaudit.pipeline.stages.refit_variants import Variants
from qaudit.pipeline.types import Candidate, Candidates, LoadedSubject
from qaudit.plugin_host.discovery import PluginHost
from qaudit.sandbox import runner

NONE: Any = None


def candidate(by: str, **settings: Any) -> Candidate:
    text = ",".join(f"{key}={value!r}" for key, value in sorted(settings.items()))
    return Candidate(f"{by}({text})", by, settings, NONE, {})


MANY = Candidates(
    (candidate("symmetric", axis="tensor", bits=4), candidate("symmetric", axis="tensor", bits=8), candidate("plain")),
    skipped=(Skipped("quantize", "absent", "declined", "declined"),),
)


def test_judged_by_id_in_any_spelling_or_by_enough_settings() -> None:
    for text in ("symmetric(axis='tensor',bits=8)", "symmetric( bits = 8, axis = tensor )", "symmetric(bits=8)"):
        found = assessed_candidate(text, MANY)
        assert found is not None
        assert found.settings["bits"] == 8
    assert [each.by for each in candidates_named(["plain", "symmetric(bits=4)"], MANY)] == ["plain", "symmetric"]


def test_judged_by_default_only_where_there_is_one() -> None:
    assert assessed_candidate(None, MANY) is None
    assert assessed_candidate(None, Candidates(MANY.all[:1])) is MANY.all[0]


def test_a_quantizer_that_declined_leaves_none_judged() -> None:
    assert assessed_candidate("absent(bits=4)", MANY) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symmetric(axis='tensor')", "matches 2 candidates"),
        ("symmetric(bits=7)", "unknown candidate"),
        ("symetric(bits=8)", "unknown candidate"),
        ("symmetric(", "expected name"),
    ],
)
def test_wrong_ids_are_refused(text: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        assessed_candidate(text, MANY)


def loaded(folder: Path, training: bool, final: Any = None) -> tuple[LoadedSubject, pd.DataFrame, pd.DataFrame]:
    draw = np.random.default_rng(3)
    X = pd.DataFrame(draw.normal(size=(260, 3)), columns=["a", "b", "c"])
    y = np.where(X["a"] - X["b"] + draw.normal(scale=0.5, size=260) > 0, "yes", "no")
    table = X.assign(answer=y)
    train, holdout = table[:180], table[180:]
    skops.io.dump((final or LogisticRegression()).fit(train[["a", "b", "c"]], train["answer"]), folder / "m.skops")
    train.to_csv(folder / "train.csv", index=False)
    holdout.to_csv(folder / "holdout.csv", index=False)
    request = LoadRequest(
        folder / "m.skops", folder / "holdout.csv", "answer", folder / "train.csv" if training else None, positive="yes"
    )
    return load(request, hooks_for(PluginHost.discover().select("format"))), train, holdout


def test_refits_equal_training_by_hand(tmp_path: Path) -> None:
    subject, train, holdout = loaded(tmp_path, training=True)
    quantizers = PluginHost.discover().select("quantizer", ["symmetric"])
    variants = Variants(subject, quantizers, runner.run_many, repeats=2)
    rows = np.array([0, 5, 7, 40])
    plain = variants(None, rows)
    assert sorted(plain) == ["a", "b", "c"]
    for name in plain:
        kept = [each for each in ("a", "b", "c") if each != name]
        by_hand = LogisticRegression().fit(train[kept], train["answer"]).predict_proba(holdout[kept].iloc[rows])
        for repeat in plain[name]:
            np.testing.assert_allclose(repeat, by_hand, rtol=1e-12)
    settings = {"symmetric": {"bits": [3, 16], "axis": ["tensor"]}}
    coarse, fine = quantize(subject, hooks_for(quantizers), settings, bits=None, seed=0).all
    for each, near, far in ((coarse, 1.0, 1e-4), (fine, 1e-3, 0.0)):
        quantized = variants(each, rows)
        error = max(np.abs(quantized[name][0] - plain[name][0]).max() for name in plain)
        assert far <= error < near, each.id
    assert variants.skipped == ()


@pytest.mark.filterwarnings("ignore")
def test_a_learner_that_takes_a_seed_is_trained_eleven_times(tmp_path: Path) -> None:
    final = MLPClassifier((3,), max_iter=3, random_state=0)
    subject, _, _ = loaded(tmp_path, training=True, final=final)
    found = Variants(subject, [], runner.run_many)(None, np.array([0, 5]))
    for repeats in found.values():
        assert len(repeats) == 11
        assert len({repeat.tobytes() for repeat in repeats}) == 11


def test_without_training_rows_refits_decline(tmp_path: Path) -> None:
    subject, _, _ = loaded(tmp_path, training=False)
    with pytest.raises(Decline, match="--train"):
        Variants(subject, [], runner.run_many)(None, np.array([0]))
