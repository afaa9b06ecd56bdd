"""Mutation testing of qaudit/core, qaudit/engine and the proof of a lowering: `make mutants`, or this file with PATH...

Each mutant is run against the tests that call its function, cheap ones first, until one fails. These are the tests of tests/core
and tests/engine; a mutant that survives them without a reason is run again, against all others that are not slow too. Results are
appended to build/mutants/results.jsonl and reused while the mutated file and the tests that decided are unchanged, so a run that
was broken off goes on. A survivor must be killed by a new test, or explained in tools/mutants_explained.toml. Exit code 1: a
survivor without a reason, or a test that fails on the unchanged tree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import mutant_runs
from mutant_sources import Mutant, mutants

MUTATED = ("core", "engine", "pipeline/stages/load_proof.py")
NEAR = ("tests/core", "tests/engine", "tests/pipeline/test_load_proof")
FIRST_SECONDS = 3.0
PASS_SECONDS = (90.0, 120.0)
"""What the tests of a first batch, and of the near and the far pass, may take on the unchanged tree."""


@dataclass(frozen=True)
class Project:
    """Where things are: the tree, what is mutated in its qaudit/, which tests come first, and where results are kept."""

    root: Path
    mutated: tuple[str, ...] = MUTATED
    near: tuple[str, ...] = NEAR

    @property
    def build(self) -> Path:
        """The folder of results."""
        return self.root / "build" / "mutants"

    @property
    def explained(self) -> Path:
        """Reasons of survivors, by id."""
        return self.root / "tools" / "mutants_explained.toml"

    def sources(self) -> list[str]:
        """Files that are mutated, relative to qaudit/."""
        top = self.root / "qaudit"
        files = [f for name in self.mutated for f in ([top / name] if name.endswith(".py") else (top / name).rglob("*.py"))]
        return sorted(str(file.relative_to(top)) for file in files)

    def test_files(self, near: bool) -> list[str]:
        """Files of tests relative to the root: the near ones, or all others in folders of tests/; not those of texts or tools."""
        files = sorted(str(file.relative_to(self.root)) for file in (self.root / "tests").glob("*/**/test_*.py"))
        return [file for file in files if file.startswith(self.near) == near and not file.startswith("tests/tools/")]

    def digest(self, files: Iterable[str]) -> str:
        """sha256 over names and bytes of files relative to the root."""
        whole = hashlib.sha256()
        for file in sorted(files):
            path = self.root / file
            whole.update(f"{file}\0".encode() + (path.read_bytes() if path.exists() else b"") + b"\0")
        return whole.hexdigest()[:16]


@dataclass(frozen=True)
class Result:
    """What became of a mutant: killed, timed out or survived.

    `by` is the test that failed. `source` is the digest of the mutated file, `tests` that of the files `decided`: the one that
    failed, or all that did not.
    """

    id: str
    place: str
    file: str
    status: str
    by: str
    seconds: float
    source: str
    decided: list[str]
    tests: str


class Tests:
    """Seconds and called functions of tests, by file; kept in build/mutants/tests.json while tests and called files are."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.path = project.build / "tests.json"
        self.files: dict[str, dict[str, Any]] = json.loads(self.path.read_text()) if self.path.exists() else {}

    def record(self, copy: mutant_runs.Copy, files: Sequence[str]) -> list[str]:
        """Run, on the unchanged tree, the files that changed or call what changed. The names of tests that did not pass."""
        for file in files:
            digest = self.project.digest([file])
            if self._sources(file) == self.files.get(file, {}).get("sources") and self.files[file]["digest"] == digest:
                continue
            say(f"recording {file}")
            self.files[file] = {**mutant_runs.record(copy, file, self.project.mutated), "digest": digest}
            self.files[file]["sources"] = self._sources(file)
            self.path.write_text(json.dumps(self.files))
        return sorted(name for file in files for name in self.files[file]["bad"])

    def _sources(self, file: str) -> str:
        """Digest of the mutated files of which the tests of a file call anything, or which they import."""
        called = {f for test in self.files.get(file, {"tests": {}})["tests"].values() for f in test["functions"]}
        return self.project.digest({f"qaudit/{function.split('::')[0]}" for function in called})

    def chosen_files(self, mutant: Mutant, passes: Sequence[bool]) -> list[str]:
        """The files of all batches."""
        return sorted({name.split("::")[0] for near in passes for batch in self.batches(mutant, near) for name in batch})

    def limit(self, batches: list[list[str]]) -> float:
        """Seconds until a run counts as timed out: ten times what the tests took on the unchanged tree, and 30."""
        names = [name for batch in batches for name in batch]
        usual = sum(float(self.files[name.split("::")[0]]["tests"][name]["seconds"]) for name in names)
        return 30.0 + 10 * (usual + sum(float(self.files[file]["start"]) for file in {name.split("::")[0] for name in names}))

    def batches(self, mutant: Mutant, near: bool) -> list[list[str]]:
        """Tests that call the mutant's function (import its module, where it stands outside of functions); cheap files first."""
        function, chosen = f"{mutant.file}::{mutant.function}", list[tuple[float, list[str]]]()
        for file in self.project.test_files(near):
            known = self.files.get(file, {"tests": {}, "start": 0.0})
            calling = {name: test for name, test in known["tests"].items() if function in test["functions"]}
            names = sorted(calling, key=lambda name: float(known["tests"][name]["seconds"]))
            if names:
                chosen.append((known["start"] + sum(float(test["seconds"]) for test in calling.values()), names))
        return _batches(sorted(chosen), PASS_SECONDS[not near])


def _batches(files: list[tuple[float, list[str]]], most: float) -> list[list[str]]:
    """A first batch of the cheapest files and one of the rest, which ends where `most` seconds are reached."""
    first, rest, spent = list[str](), list[str](), 0.0
    for seconds, names in files:
        if spent and spent + seconds > most:
            break
        (first if spent < FIRST_SECONDS else rest).extend(names)
        spent += seconds
    return [batch for batch in (first, rest) if batch]


def decide(project: Project, tests: Tests, copy: mutant_runs.Copy, mutant: Mutant, passes: Sequence[bool]) -> Result:
    """Run one mutant against its near tests, then, where it survives, against the far ones."""
    started, status, by = time.monotonic(), "survived", ""
    with copy.changed(mutant.file, mutant.source):
        for near in passes:
            batches = tests.batches(mutant, near)
            outcome = mutant_runs.run(copy, batches, tests.limit(batches)) if batches else {"failed": ""}
            if outcome is None or outcome["failed"]:
                status, by = ("timed out", "") if outcome is None else ("killed", outcome["failed"])
                break
    decided = [by.split("::")[0]] if by.startswith("tests/") else tests.chosen_files(mutant, passes)
    source, seconds = project.digest([f"qaudit/{mutant.file}"]), round(time.monotonic() - started, 2)
    return Result(mutant.id, mutant.place, mutant.file, status, by, seconds, source, decided, project.digest(decided))


def known_results(project: Project, tests: Tests, made: Sequence[Mutant], passes: Sequence[bool]) -> dict[str, Result]:
    """Results that still hold: of an unchanged file, decided by unchanged tests, and for a survivor by all that there are now."""
    path, last = project.build / "results.jsonl", dict[str, Result]()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        decided = Result(**json.loads(line))
        last[decided.id] = decided
    kept = dict[str, Result]()
    for mutant in made:
        result = last.get(mutant.id)
        if result is None or result.source != project.digest([f"qaudit/{mutant.file}"]):
            continue
        complete = result.status != "survived" or set(result.decided) >= set(tests.chosen_files(mutant, passes))
        if complete and result.tests == project.digest(result.decided):
            kept[mutant.id] = result
    return kept


_worker: list[tuple[Project, Tests, mutant_runs.Copy, Sequence[bool]]] = []


def _start(project: Project, tests: Tests, copies: Any, passes: Sequence[bool]) -> None:
    copy = copies.get()  # what stands in the copy is what runs and what is written down, also where the tree is edited meanwhile
    _worker[:] = [(replace(project, root=copy.path), tests, copy, passes)]


def _work(mutant: Mutant) -> Result:
    project, tests, copy, passes = _worker[0]
    return decide(project, tests, copy, mutant, passes)


def run_all(
    project: Project, tests: Tests, todo: Sequence[Mutant], passes: Sequence[bool], copies: Sequence[mutant_runs.Copy]
) -> Iterator[Result]:
    """Results as they come, from one process a copy, each appended to the file at once."""
    forking = multiprocessing.get_context("fork")
    queue = forking.SimpleQueue()
    for copy in copies:
        queue.put(copy)
    pool = ProcessPoolExecutor(len(copies), forking, _start, (project, tests, queue, passes))
    try:
        with open(project.build / "results.jsonl", "a", encoding="utf-8") as out:
            for future in as_completed([pool.submit(_work, mutant) for mutant in todo]):
                result = future.result()
                out.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
                out.flush()
                yield result
    finally:
        pool.shutdown(cancel_futures=True)


def reasons(project: Project) -> dict[str, str]:
    """The survivors that are explained: id -> reason."""
    if not project.explained.exists():
        return {}
    return {entry["id"]: entry["reason"] for entry in tomllib.loads(project.explained.read_text(encoding="utf-8"))["mutant"]}


def summary(results: Iterable[Result], why: dict[str, str]) -> tuple[list[str], list[Result]]:
    """The table by file, and the survivors without a reason."""
    counts: dict[str, Counter[str]] = {}
    unexplained = []
    for result in results:
        status = "explained" if result.status == "survived" and why.get(result.id, "").strip() else result.status
        if status == "survived":
            unexplained.append(result)
        for name in (result.file, "all"):
            counts.setdefault(name, Counter()).update({status: 1, "mutants": 1, "seconds": round(result.seconds * 100)})
    heads = ("mutants", "killed", "timed out", "survived", "explained")
    lines = [f"{'':40}" + "".join(f"{head:>11}" for head in (*heads, "seconds"))]
    for file in sorted(counts, key=lambda name: (name == "all", name)):
        numbers = "".join(f"{counts[file][head]:>11}" for head in heads)
        lines.append(f"{file:40}{numbers}{counts[file]['seconds'] / 100:>11.0f}")
    return lines, unexplained


def say(line: str) -> None:
    """One line, at once."""
    print(line, flush=True)


def mutation_test(
    project: Project, paths: Sequence[str] = (), *, workers: int = 2, near_only: bool = False, fresh: bool = False
) -> int:
    """Do what is not done yet and print the table; the exit code. `paths` are beginnings of files relative to qaudit/."""
    project.build.mkdir(parents=True, exist_ok=True)
    if fresh:
        for name in ("results.jsonl", "tests.json"):
            (project.build / name).unlink(missing_ok=True)
    files = [file for file in project.sources() if not paths or file.startswith(tuple(paths))]
    made = [m for file in files for m in mutants((project.root / "qaudit" / file).read_text(encoding="utf-8"), file)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the copies are removed then too
    mutant_runs.preload()
    copies = [mutant_runs.Copy(project.root) for _ in range(workers)]
    try:
        tests, why = Tests(project), reasons(project)
        bad = tests.record(copies[0], project.test_files(near=True))
        results = _results(project, tests, made, (True,), copies)
        left = [mutant for mutant in made if results[mutant.id].status == "survived" and not why.get(mutant.id, "").strip()]
        # A reason says that no test can notice the change: only survivors without one are worth the expensive tests.
        if left and not near_only:
            bad += tests.record(copies[0], project.test_files(near=False))
            results |= _results(project, tests, left, (True, False), copies)
    finally:
        for copy in copies:
            copy.remove()
    return _print_summary(made, results, why, bad)


def _results(
    project: Project, tests: Tests, made: Sequence[Mutant], passes: Sequence[bool], copies: Sequence[mutant_runs.Copy]
) -> dict[str, Result]:
    """The results of these mutants by id: those that still hold, and the others run."""
    results = known_results(project, tests, made, passes)
    todo = [mutant for mutant in made if mutant.id not in results]
    which = "near tests" if len(passes) == 1 else "all tests"
    say(f"{which}: {len(made)} mutants, {len(results)} decided before, {len(todo)} to run")
    for number, result in enumerate(run_all(project, tests, todo, passes, copies), 1):
        results[result.id] = result
        if result.status != "killed" or number % 100 == 0:
            say(f"{number}/{len(todo)} {result.status} {result.place} {result.id}")
    return results


def _print_summary(made: Sequence[Mutant], results: dict[str, Result], why: dict[str, str], bad: Sequence[str]) -> int:
    lines, unexplained = summary((results[mutant.id] for mutant in made), why)
    lines += [f"survived without a reason: {result.place}\n    {result.id}" for result in unexplained]
    lines += [f"fails on the unchanged tree, not used: {name}" for name in bad]
    lines += [f"no survivor any more: {id}" for id in why if id in results and results[id].status != "survived"]
    files = {mutant.file for mutant in made}
    lines += [f"a reason of no mutant: {id}" for id in why if id not in results and id.split("::")[0] in files]
    for line in lines:
        say(line)
    return 1 if unexplained or bad else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("paths", nargs="*", help="beginnings of files relative to qaudit/, such as core/measures; all by default")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time (2)")
    parser.add_argument("--near", action="store_true", help="the first pass only: tests of core and engine")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    arguments = parser.parse_args()
    project = Project(Path(__file__).resolve().parent.parent)
    return mutation_test(project, arguments.paths, workers=arguments.workers, near_only=arguments.near, fresh=arguments.fresh)


if __name__ == "__main__":
    sys.exit(main())
