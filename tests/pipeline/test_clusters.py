"""A declared cluster column: intervals are over clusters, said with their number; few of them give none."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from load_kit import load_here
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from subjects import candidate, subject

from qaudit.core.catalogue.measures import MEASURES, QUANTILES
from qaudit.core.evidence import Evidence
from qaudit.core.table import Table
from qaudit.errors import Refused
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.types import Candidates, LoadedSubject

TIMES = 6


def copied(output: str, clusters: bool, n: int = 150, groups: Mapping[str, NDArray[Any]] | None = None) -> LoadedSubject:
    """n rows, each given TIMES times; a cluster is a row with its copies."""
    of = subject(output, n=n)
    rows = np.repeat(np.arange(n), TIMES)
    encoded = of.encoded["holdout"][rows]
    return dataclasses.replace(
        of,
        tables={"holdout": Table({f"x{i}": encoded[:, i] for i in range(3)})},
        encoded={"holdout": encoded},
        native={"holdout": of.native["holdout"][rows]},
        target={"holdout": of.target["holdout"][rows]},
        groups=groups or {},
        cluster=np.array([f"p{row}" for row in rows], dtype=object) if clusters else None,
    )


def measured(of: LoadedSubject) -> dict[tuple[str, ...], Evidence]:
    candidates = tuple(candidate(of, bits) for bits in (2, 8))
    table = evaluate(of, Candidates(candidates), candidates[0]).evidence
    return {(row.measure, *(f"{key}={value}" for key, value in sorted(row.about.items()))): row for row in table}


def width(row: Evidence) -> float:
    assert row.interval is not None
    return row.interval.high - row.interval.low


@pytest.mark.parametrize("output", ["binary", "multiclass", "regression"])
def test_copies_of_rows_make_no_interval_narrower_where_they_are_a_cluster(output: str) -> None:
    single = subject(output, n=150)
    once = measured(dataclasses.replace(single, cluster=np.array([f"p{row}" for row in range(150)], dtype=object)))
    rows, clusters = measured(copied(output, False)), measured(copied(output, True))
    compared = 0
    for key, row in clusters.items():
        if row.interval is None or MEASURES[key[0]].interval == QUANTILES or once[key].interval is None:
            continue
        assert "clusters" in row.interval.method, key
        assert row.value == pytest.approx(once[key].value, abs=1e-9), key
        if width(once[key]) > 1e-9 and key[0] not in ("ece", "ece_change", "calibration_ks", "calibration_ks_change"):
            assert width(row) == pytest.approx(width(once[key]), rel=0.25), key
            if rows[key].interval is not None:
                assert width(row) > 1.5 * width(rows[key]), key
            compared += 1
    assert compared > 6


def test_fewer_than_ten_clusters_give_no_interval() -> None:
    of = copied("binary", True, n=60)
    few = dataclasses.replace(of, cluster=np.array([f"p{row % 5}" for row in range(60 * TIMES)], dtype=object))
    row = next(row for key, row in measured(few).items() if key[0] == "accuracy" and len(row.about) == 1)
    assert row.value is not None
    assert row.interval is None
    assert row.reason == "no interval: 5 clusters, at least 10 are wanted"


def test_a_cluster_column_is_read_and_every_row_needs_a_value(credit) -> None:  # type: ignore[no-untyped-def]
    request = dataclasses.replace(credit(LogisticRegression(max_iter=500)), cluster="afam", groups=())
    loaded = load_here(request)
    assert loaded.cluster is not None
    assert len(loaded.cluster) == loaded.tables["holdout"].rows
    assert loaded.report["data"]["cluster"] == "afam"
    assert loaded.report["data"]["clusters"] == len({*loaded.cluster.tolist()})
    with pytest.raises(Refused, match="cluster"):
        load_here(dataclasses.replace(request, cluster="patient"))
    lines = request.holdout.read_text().splitlines()
    place = lines[0].split(",").index("afam")
    cells = lines[5].split(",")
    cells[place] = ""
    request.holdout.write_text("\n".join([*lines[:5], ",".join(cells), *lines[6:]]) + "\n")
    with pytest.raises(Refused, match=r"cluster column 'afam', row 5 \(line 6\): no value, 1 such rows"):
        load_here(request)
