from pathlib import Path

import pandas as pd
import pytest
from qaudit_scorecard import load, qaudit_sample

from qaudit import Refused
from qaudit.testing import check_format

test_contract = check_format(Path(__file__).parent.parent / "qaudit_scorecard.py")


def test_points_are_added(tmp_path):
    qaudit_sample(tmp_path / "card.json")
    rows = pd.DataFrame({"income": [-0.5, 2.0, None], "debt": [0.0, 1.0, None]}, dtype=float)
    odds = [-0.25 + 0.8 - 0.3, -0.25 - 0.4 + 0.9, -0.25 - 0.4 + 0.9]
    assert load(tmp_path / "card.json").predict(rows)[:, 1] == pytest.approx([1 / (1 + 2.718281828459045**-x) for x in odds])


def test_falling_cuts_are_refused(tmp_path):
    (tmp_path / "card.json").write_text(
        '{"scorecard": 1, "classes": ["a", "b"], "base": 0, "columns": {"x": {"cuts": [2, 1], "points": [0, 1, 2]}}}'
    )
    with pytest.raises(Refused, match=r"card\.json: column 'x' has 2 cuts, 3 points"):
        load(tmp_path / "card.json")
