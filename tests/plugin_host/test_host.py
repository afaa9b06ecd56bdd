"""Discovery without importing: names, digests, doubled names, single files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qaudit.errors import PluginConflict, Refused
from qaudit.plugin_host.discovery import PluginHost, from_file, present
from qaudit.sandbox.job import PluginRef

PLUGIN = """
from qaudit import Quantizer, hookimpl
raise SystemExit("imported")

@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("pow2", "power-of-two scale", None)
"""


def ref(name: str, distribution: str, version: str = "1.1") -> PluginRef:
    return PluginRef("quantizer", name, f"{distribution}.{name}", distribution, version, "0" * 64)


def stranger(folder: Path, version: str, body: str = "x = 1\n") -> None:
    """A distribution `acme-quant` as pip would have installed it."""
    package = folder / "acme"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "absmax.py").write_text(body)
    info = folder / f"acme_quant-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-quant\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(
        "[qaudit.quantizers]\nabsmax = acme.absmax\nsymmetric = acme.absmax\ngone = acme.gone\n"
    )


def test_built_ins_are_found_without_importing_them() -> None:
    code = (
        "import sys; from qaudit.plugin_host.discovery import PluginHost\n"
        "host = PluginHost.discover()\n"
        "print(sorted(r.name for r in host.refs if r.distribution == 'qaudit' and r.kind == 'quantizer'))\n"
        "bad = [m for m in sys.modules if m.startswith('qaudit_') or m in ('sklearn', 'pandas')]\n"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['affine', 'bucket_prune', 'dithered', 'fully_connected', 'symmetric']"


def test_stranger_is_found_and_doubled_names_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger(tmp_path, "1.1")
    monkeypatch.syspath_prepend(str(tmp_path))
    host = PluginHost.discover()
    found = host.select("quantizer", ["absmax"])
    assert [(each.distribution, each.version, present(each)) for each in found] == [("acme-quant", "1.1", True)]
    with pytest.raises(PluginConflict, match=r"'symmetric' is offered by acme-quant 1\.1 and qaudit 0\.1\.0"):
        host.select("quantizer", ["symmetric"])
    assert host.select("quantizer", ["qaudit:symmetric"])[0].distribution == "qaudit"
    with pytest.raises(PluginConflict, match=r"'symmetric' is offered by .*; list one of them"):
        host.select("quantizer", ["qaudit:symmetric", "acme-quant:symmetric"])
    assert len(host.select("quantizer", ["qaudit:symmetric", "qaudit:symmetric"])) == 1
    assert "symmetric" not in [each.name for each in host.select("quantizer")]
    assert [row.by for row in host.doubled("quantizer")] == ["acme-quant:symmetric", "qaudit:symmetric"]
    assert not present(host.select("quantizer", ["gone"])[0])


def test_digest_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger(tmp_path, "1.1")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = PluginHost.discover().select("quantizer", ["absmax"])[0].digest
    assert before == PluginHost.discover().select("quantizer", ["absmax"])[0].digest
    (tmp_path / "acme" / "absmax.py").write_text("x = 2\n")
    assert before != PluginHost.discover().select("quantizer", ["absmax"])[0].digest


def test_order_of_discovery_does_not_matter() -> None:
    refs = (ref("b", "acme"), ref("a", "acme"), ref("a2", "other"))
    assert PluginHost(refs).select("quantizer") == PluginHost(refs[::-1]).select("quantizer")


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(Refused, match=r"unknown quantizer plugin 'symetric'; did you mean 'symmetric'\?"):
        PluginHost((ref("symmetric", "qaudit"),)).select("quantizer", ["symetric"])


def test_single_file_gives_kind_and_name_unimported(tmp_path: Path) -> None:
    file = tmp_path / "qaudit_pow2.py"
    file.write_text(PLUGIN)
    (found,) = from_file(file)
    assert (found.kind, found.name, found.distribution, found.file) == ("quantizer", "pow2", "unpackaged", str(file))
    assert PluginHost.discover([file]).select("quantizer", ["pow2"]) == [found]


@pytest.mark.parametrize(
    ("text", "message"),
    [("def f(:\n", "not Python"), ("x = 1\n", "no hook found"), (None, "No such file")],
)
def test_bad_file_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "plugin.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Refused, match=message):
        from_file(file)
