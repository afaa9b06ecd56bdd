"""600 damaged skops files: the check refuses in one line or lets through; what it lets through can only end a unit of its own."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import skops.io
from mutants import mutant, mutants
from sklearn.ensemble import RandomForestClassifier

from qaudit.plugin_host.discovery import PluginHost
from qaudit.sandbox import runner
from qaudit.sandbox.job import Limits

pytestmark = pytest.mark.slow

BATCH = """
import json, resource, sys
from pathlib import Path
from qaudit import Refused
from qaudit_formats.skops_check import check_file
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
answers = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        check_file(path)
        answers[path.name] = ""
    except Refused as error:
        answers[path.name] = str(error)
print(json.dumps(answers))
"""


def rezipped(whole: bytes, draw: random.Random) -> bytes:
    """The archive with one damaged member, packed anew so that every checksum is right again."""
    out = io.BytesIO()
    with ZipFile(io.BytesIO(whole)) as archive, ZipFile(out, "w") as copy:
        names = archive.namelist()
        chosen = draw.choice([*names, *["schema.json"] * len(names)])
        for name in names:
            data = archive.read(name)
            copy.writestr(name, mutant(data, draw) if name == chosen else data)
    return out.getvalue()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 with damaged bytes, 300 with a damaged member under right checksums."""
    folder = tmp_path_factory.mktemp("skops")
    draw = np.random.default_rng(0)
    X = draw.normal(size=(60, 3))
    whole = skops.io.dumps(RandomForestClassifier(n_estimators=2, max_depth=3, random_state=0).fit(X, X[:, 0] > 0))
    for number, (_, data) in enumerate(mutants({"model": whole}, 300, seed=8)):
        (folder / f"bytes{number:03d}.skops").write_bytes(data)
    seeded = random.Random(9)
    for number in range(300):
        (folder / f"member{number:03d}.skops").write_bytes(rezipped(whole, seeded))
    return folder


def test_the_check_answers_each_of_600_mutants_in_one_line(damaged: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BATCH, str(damaged)], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout)
    assert len(answers) == 600
    for name, said in answers.items():
        assert said == "" or said.startswith(f"{name}: "), said
        assert said.isprintable()
    refused = Counter(bool(said) for said in answers.values())
    assert refused[True] > 300
    passed = [name for name, said in answers.items() if not said]
    formats = [ref for ref in PluginHost.discover().select("format") if ref.name == "sklearn_skops"]
    for name in passed[:: max(1, len(passed) // 12)]:
        outcome = runner.run("inspect_model", {"model": str(damaged / name)}, plugins=formats, limits=Limits(seconds=30))
        assert outcome.failure is None or "\n" not in outcome.failure.reason
