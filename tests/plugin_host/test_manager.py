"""The hooks of the host: every plugin is asked through its proxy, in a child; wrappers stand around; nothing is imported here."""

from __future__ import annotations

import inspect
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hosting import hooks_for

import qaudit.hookspecs
from qaudit.cache.result_cache import ResultCache
from qaudit.cache.unit_cache import UnitCache
from qaudit.core.program import Program
from qaudit.core.records import Subject
from qaudit.core.steps import Dense
from qaudit.hookspecs import hookimpl
from qaudit.plugin_host import hookspecs
from qaudit.plugin_host.discovery import PluginHost, from_file
from qaudit.plugin_host.hooks import open_hooks
from qaudit.plugin_host.units import Answer, QuantizeTask, Unit
from qaudit.sandbox.job import Call, Failure, Outcome, PluginRef
from qaudit.sandbox.pack_program import pack_program

ZOO = Path(__file__).parent.parent / "zoo"
SUBJECT = Subject("binary", ("a", "b"), ("no", "yes"), (("layer0.weight", "weight", (1, 2)), ("layer0.bias", "bias", (1,))))
HOOKS = [name for name in dir(qaudit.hookspecs) if name.startswith("qaudit_")]
Wrapper = Generator[None, Any, Any]


def task(**options: Any) -> QuantizeTask:
    """What quantizers are asked to do with one dense layer of two weights."""
    program = Program(("a", "b"), (Dense(np.array([[1.0, -0.4]]), np.zeros(1)),), "logistic", "binary", ("no", "yes"))
    return QuantizeTask(*pack_program(program), **options)


def ref(name: str, distribution: str = "acme", kind: Any = "quantizer") -> PluginRef:
    return PluginRef(kind, name, f"{distribution}.{name}", distribution, "1", "0" * 64)


def built_in(kind: Any, *names: str) -> list[PluginRef]:
    return [each for each in PluginHost.discover().of(kind) if each.name in names and each.distribution == "qaudit"]


def answers(call: Call) -> Outcome:
    """In place of a child: the name of the plugin that was asked."""
    return Outcome({"asked": call.plugins[-1].name}, {})


def test_one_call_collects_the_candidates_of_every_quantizer() -> None:
    hooks = hooks_for(built_in("quantizer", "affine", "symmetric"))
    found = hooks.qaudit_offer_quantizers(subject=SUBJECT, task=task(settings={"affine": {"bits": (3, 5)}}, bits=(8,)))
    assert [answer.plugin.name for answer in found] == ["affine", "symmetric"]
    assert [answer.skipped for answer in found] == [None, None]
    bits = [sorted({each["settings"]["bits"] for each in answer.outcome.answer["candidates"]}) for answer in found]
    assert bits == [[3, 5], [8]], "an author's setting wins over the audit's bits"
    assert found[1].outcome.arrays["c0.0.codes"].tolist() == [[127, -51]]


def test_explainers_and_frameworks_answer_as_data_and_formats_say_whether_they_know_the_file(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model")
    plugins = [*built_in("explainer", "permutation"), *built_in("framework", "sr_26_2"), *built_in("format", "sklearn_skops")]
    hooks = hooks_for(plugins)
    (explainer,) = hooks.qaudit_offer_explainers(subject=SUBJECT)
    assert explainer.outcome.answer["name"] == "permutation"
    assert set(explainer.outcome.answer) == {"name", "summary", "settings", "needs", "measures"}
    (framework,) = hooks.qaudit_offer_frameworks()
    assert [each["id"] for each in framework.outcome.answer["frameworks"]] == ["sr_26_2"]
    (known,) = hooks.qaudit_offer_formats(model=tmp_path / "model.bin")
    assert (known.outcome.answer["recognised"], known.outcome.answer["tier"]) == (False, "checked")


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("segfaults", "failed", "crashed (SIGSEGV) while offering records"),
        ("declines", "declined", "needs a dense layer"),
        ("wrong_hook", "failed", "did you mean 'qaudit_offer_quantizers'?"),
    ],
)
def test_a_plugin_that_fails_spoils_its_own_answer_only(name: str, kind: str, reason: str) -> None:
    bad = PluginRef("quantizer", name, f"{name}.py", "unpackaged", "", "0" * 64, str(ZOO / f"{name}.py"))
    hooks = hooks_for([bad, *built_in("quantizer", "affine", "symmetric")])
    found = {answer.plugin.name: answer for answer in hooks.qaudit_offer_quantizers(subject=SUBJECT, task=task(bits=(8,)))}
    row = found[name].skipped
    assert row is not None
    assert (row.stage, row.by, row.kind) == ("quantize", name, kind)
    assert reason in row.reason
    assert found[name].failure is not None
    for other in ("affine", "symmetric"):
        assert found[other].skipped is None
        assert len(found[other].outcome.answer["candidates"]) == 2, "an axis of channels and one of tensors"


@pytest.mark.parametrize(
    ("kind", "answer", "row"),
    [
        ("framework", {"frameworks": []}, "offered nothing; a framework plugin offers one list under its own name"),
        ("framework", {}, "broken contract: unreadable answer (KeyError('frameworks'))"),
        (
            "format",
            {"recognised": True, "tier": "trusted"},
            "broken contract: tier 'trusted': expected one of data, checked, code",
        ),
        ("format", {}, "broken contract: unreadable answer (KeyError('recognised'))"),
    ],
)
def test_what_only_the_host_sees_is_blamed_on_the_plugin(kind: Any, answer: Any, row: str, tmp_path: Path) -> None:
    hooks = hooks_for([ref("x", kind=kind)], lambda call: Outcome(answer, {}))
    (given,) = hooks.qaudit_offer_frameworks() if kind == "framework" else hooks.qaudit_offer_formats(model=tmp_path)
    assert given.failure is not None
    assert given.failure.kind == "broken contract"
    assert given.skipped is not None
    assert (given.skipped.by, given.skipped.reason, given.skipped.kind) == ("x", row, "failed")


def test_the_order_of_registration_does_not_matter() -> None:
    plugins = (ref("b"), ref("a", "other"), ref("c"), ref("a"))
    for order in itertools.permutations(plugins):
        found = hooks_for(order, answers).qaudit_offer_quantizers(subject=SUBJECT, task=task())
        assert [(each.plugin.name, each.plugin.distribution) for each in found] == [
            ("a", "acme"),
            ("a", "other"),
            ("b", "acme"),
            ("c", "acme"),
        ]


def test_plugins_that_the_audit_does_not_use_are_not_asked() -> None:
    ran: list[str] = []

    def counted(call: Call) -> Outcome:
        ran.append(call.plugins[0].name)
        return Outcome({}, {})

    plugins = (ref("a"), ref("b"), ref("c", "acme"), ref("c", "other"), ref("d", kind="explainer"))
    hooks = hooks_for(plugins, counted, names={"quantizer": ["b", "other:c"]}, jobs=1)
    found = hooks.qaudit_offer_quantizers(subject=SUBJECT, task=task())
    assert [(each.plugin.distribution, each.plugin.name) for each in found] == [("acme", "b"), ("other", "c")]
    assert hooks.qaudit_offer_explainers(subject=SUBJECT) == []
    assert ran == ["b", "c"]


def test_units_of_one_hook_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=30)

    def meets(call: Call) -> Outcome:
        both.wait()
        return answers(call)

    found = hooks_for([ref("a"), ref("b")], meets, jobs=2).qaudit_offer_quantizers(subject=SUBJECT, task=task())
    assert [each.outcome.answer["asked"] for each in found] == ["a", "b"]


class Sees:
    """Wrappers around the answers, around the proxies alone, and around each unit."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    @hookimpl(wrapper=True)
    def qaudit_offer_quantizers(self, subject: Subject, task: QuantizeTask) -> Wrapper:
        self.events.append(("asked", (subject, task.seed)))
        results: list[Answer] = yield
        self.events.append(("answered", [(each.plugin.name, each.skipped and each.skipped.reason) for each in results]))
        return results

    @hookimpl(wrapper=True, trylast=True, specname="qaudit_offer_quantizers")
    def inside(self) -> Wrapper:
        units: list[Unit] = yield
        self.events.append(("prepared", sorted(each.call.task for each in units)))
        return units

    @hookimpl(wrapper=True)
    def qaudit_run_unit(self, call: Call) -> Wrapper:
        outcome = yield
        self.events.append(("ran", call.plugins[0].name))
        return outcome


def test_a_wrapper_sees_finished_answers_and_proxies_start_nothing() -> None:
    def fails(call: Call) -> Outcome:
        if call.plugins[0].name == "a":
            return Outcome({}, {}, Failure("raised", "offer", "ValueError: no", "plugin"))
        return Outcome({}, {})

    sees, lines = Sees(), list[str]()
    hooks = hooks_for([ref("a"), ref("b")], fails, jobs=1, progress=lines.append, around=[sees])
    found = hooks.qaudit_offer_quantizers(subject=SUBJECT, task=task(seed=5))
    assert sees.events == [
        ("asked", (SUBJECT, 5)),
        ("prepared", ["quantize", "quantize"]),
        ("ran", "a"),
        ("ran", "b"),
        ("answered", [("a", "ValueError: no"), ("b", None)]),
    ]
    assert [each.skipped is None for each in found] == [False, True]
    assert lines == ["quantize: a: unit 1 done", "quantize: b: unit 1 done"]


def test_the_cache_is_asked_first_and_keeps_what_the_unit_itself_answered(tmp_path: Path) -> None:
    ran: list[str] = []

    def numbered(call: Call) -> Outcome:
        ran.append(call.task)
        return Outcome({"number": len(ran)}, {})

    class Changes:
        @hookimpl(wrapper=True)
        def qaudit_run_unit(self) -> Wrapper:
            outcome = yield
            return Outcome({"number": -outcome.answer["number"]}, {})

    def asked(around: tuple[object, ...] = ()) -> tuple[int, int, int]:
        cache = UnitCache(ResultCache(tmp_path), {})
        outcome = hooks_for((), numbered, cache=cache, around=around).run("encode", {"seed": 1})
        return outcome.answer["number"], cache.ran, cache.kept

    assert asked((Changes(),)) == (-1, 1, 0)
    assert asked() == (1, 0, 1)
    assert asked((Changes(),)) == (-1, 0, 1), "a wrapper sees what comes from the cache too"
    assert ran == ["encode"]


def test_the_hooks_of_a_host_are_opened_once() -> None:
    host = PluginHost(())
    open_hooks(host, {})
    with pytest.raises(ValueError, match="already registered"):
        open_hooks(host, {})


def test_the_host_has_every_hook_and_argument_of_a_plugin() -> None:
    assert len(HOOKS) == 4
    for name in HOOKS:
        plugin = inspect.signature(getattr(qaudit.hookspecs, name)).parameters
        host = inspect.signature(getattr(hookspecs, name)).parameters
        assert list(host)[: len(plugin)] == list(plugin), name


def test_two_plugins_of_one_name_and_distribution_both_have_a_proxy(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text('def qaudit_offer_quantizers(subject):\n    yield Quantizer("same", "s", None)\n')
    host = PluginHost([*from_file(tmp_path / "one.py"), *from_file(tmp_path / "two.py")])
    assert [name for name, _ in host.manager.list_name_plugin()] == [
        "quantizer unpackaged:same",
        "quantizer unpackaged:same 2",
    ]


ACME = """
import sys
sys.modules["acme_was_imported"] = sys
from qaudit import Format, hookimpl

@hookimpl
def qaudit_offer_formats():
    yield Format("acme", "data", lambda path: path.read_text() == "acme", None)
"""
WORK = """
import sys
from pathlib import Path
from qaudit.core.records import Subject
from qaudit.plugin_host.discovery import KINDS, PluginHost
from qaudit.plugin_host.hooks import open_hooks
from qaudit.plugin_host.units import QuantizeTask
file, model = map(Path, sys.argv[1:])
host = PluginHost.discover([file])
hooks = open_hooks(host, {kind: host.select(kind) for kind in KINDS})
subject = Subject("binary", ("a",), ("no", "yes"), ())
answers = [
    *hooks.qaudit_offer_formats(model=model),
    *hooks.qaudit_offer_quantizers(subject=subject, task=QuantizeTask(None, {}, "no program")),
    *hooks.qaudit_offer_explainers(subject=subject),
    *hooks.qaudit_offer_frameworks(),
]
assert {answer.plugin for answer in answers} == set(host.refs), "every plugin was asked"
assert {answer.plugin.name for answer in answers if answer.outcome.answer.get("recognised")} == {"acme"}
foreign = {ref.value.partition(":")[0].strip() for ref in host.refs} | {"acme_was_imported", "sklearn", "skops", "pandas"}
print(sorted(name for name in sys.modules if name in foreign or name.startswith(("qaudit_", "acme"))))
"""


@pytest.mark.slow
def test_no_plugin_is_imported_by_the_host(tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_text(ACME)
    (tmp_path / "model").write_text("acme")
    command = [sys.executable, "-c", WORK, str(tmp_path / "acme.py"), str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, env=os.environ, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
