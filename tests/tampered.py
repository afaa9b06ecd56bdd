"""Tampered copies of one small PDF in the layout of report.pdf, and what `qaudit verify` says where a seal has their digest.

`python tests/tampered.py` writes them to tests/vectors/verify, for everybody who reads such files.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydyf
from tiny_pdf import attachment, tiny_pdf

FOLDER = Path(__file__).parent / "vectors" / "verify"
MODEL = "ab" * 32
REPORT = b'{"audit":{"id":"A1"},"subject":{"digest":"' + MODEL.encode() + b'"}}\n'
FORGED = REPORT.replace(b'"A1"', b'"A9"')
ANOTHER = "report.pdf: the report.json attached to it is another than the one beside it"
LAYOUT = "report.pdf: not laid out as qaudit lays out a PDF: damaged, edited, or made by another program"
Parts = dict[str, Any]


def plain() -> bytes:
    """As qaudit makes it: the report without its last line break."""
    return tiny_pdf(REPORT[:-1])


def changed(change: Callable[[pydyf.PDF, Parts], None]) -> bytes:
    """The PDF with a change made before it was written: all its tables are right."""
    return tiny_pdf(REPORT[:-1], change)


def acting(key: str, value: str) -> bytes:
    """With one more entry in the catalogue."""
    return changed(lambda pdf, parts: pdf.catalog.update({key: value}))


def second(pdf: pydyf.PDF, parts: Parts, *, listed: bool) -> None:
    """One more attached file, in the list of attachments or behind a mark on the page."""
    file = pydyf.Stream([b"x"], {"Type": "/EmbeddedFile"}, compress=True)
    pdf.add_object(file)
    entry = attachment(file, "more.json")
    pdf.add_object(entry)
    if listed:
        parts["tree"]["Names"].extend([pydyf.String("more.json"), entry.reference])
    else:
        parts["tree"]["Marked"] = entry.reference


def without(pdf: pydyf.PDF, parts: Parts) -> None:
    """No attachment, but its stream is still there."""
    del pdf.catalog["Names"], pdf.catalog["AF"]
    parts["entry"].clear()


def nested(pdf: pydyf.PDF, parts: Parts) -> None:
    """The list of attachments stands one level lower."""
    leaf = pydyf.Dictionary({"Names": parts["tree"].pop("Names"), "Limits": "[(report.json) (report.json)]"})
    pdf.add_object(leaf)
    parts["tree"]["Kids"] = pydyf.Array([leaf.reference])


def circular(pdf: pydyf.PDF, parts: Parts) -> None:
    """The list of attachments is its own child."""
    parts["tree"].clear()
    parts["tree"].update({"Kids": pydyf.Array([parts["tree"].reference])})


def updated(pdf: bytes) -> bytes:
    """A later revision behind the end, as editors write it: another attachment under the same number."""
    number = int(re.findall(rb"(\d+) 0 obj\n<</Type /EmbeddedFile", pdf)[0])
    data = zlib.compress(FORGED[:-1])
    stream = b"%d 0 obj\n<</Type /EmbeddedFile/Filter /FlateDecode/Length %d>>\nstream\n%s\nendstream\nendobj\n"
    table = b"xref\n%d 1\n%010d 00000 n \ntrailer\n<</Size 99/Root 2 0 R/Prev %s>>\nstartxref\n%d\n%%%%EOF\n"
    before = re.findall(rb"startxref\n(\d+)", pdf)[0]
    added = stream % (number, len(data), data)
    return pdf + added + table % (number, len(pdf), before, len(pdf) + len(added))


def table(pdf: bytes, old: bytes, new: bytes, rows: Callable[[list[bytes]], list[bytes]] | None = None) -> bytes:
    """With other text in the dictionary of the cross-reference, and other rows."""
    start = int(re.findall(rb"startxref\n(\d+)", pdf)[0])
    before, after = pdf[:start], pdf[start:].replace(old, new, 1)
    if rows is None:
        return before + after
    size = 1 + sum(int(each) for each in re.findall(rb"/W \[1 (\d) (\d)\]", after)[0])

    def change(data: bytes) -> bytes:
        return b"".join(rows([data[at : at + size] for at in range(0, len(data), size)]))

    return before + repacked(after, b"XRef", change)


def stream(pdf: bytes, kind: bytes, old: bytes, new: bytes) -> bytes:
    """With another dictionary of the stream of this type; places of what follows are set right."""
    found = re.search(rb"<<[^\n]*/Type /" + kind + rb"[^\n]*", pdf)
    assert found is not None
    return moved(pdf, *found.span(), found[0].replace(old, new))


def repacked(pdf: bytes, kind: bytes, change: Callable[[bytes], bytes], pack: Callable[[bytes], bytes] = zlib.compress) -> bytes:
    """The inflated content of the stream of this type goes through `change`; all else stays right."""
    found = re.search(rb"/Type /" + kind + rb"[^\n]*/Length (\d+)>>\nstream\n", pdf)
    assert found is not None
    end = found.end() + int(found[1])
    data = pack(change(zlib.decompress(pdf[found.end() : end])))
    head = pdf[found.start() : found.end()].replace(b"/Length " + found[1], b"/Length %d" % len(data))
    if kind == b"XRef":
        return pdf[: found.start()] + head + data + pdf[end:]
    return moved(pdf, found.start(), end, head + data)


def moved(pdf: bytes, start: int, end: int, new: bytes) -> bytes:
    """`new` in the place of pdf[start:end], and the cross-reference set right."""
    shift = len(new) - (end - start)
    place = int(re.findall(rb"startxref\n(\d+)", pdf)[0])
    found = re.search(rb"/W \[1 (\d) ", pdf[place:])
    assert found is not None
    two = int(found[1])

    def row(old: bytes) -> bytes:
        where = int.from_bytes(old[1 : 1 + two])
        return old[:1] + (where + shift * (old[0] == 1 and where >= start)).to_bytes(4) + old[1 + two :]

    wide = table(pdf, b"/W [1 %d" % two, b"/W [1 %d" % two, lambda rows: [row(each) for each in rows])
    wide = wide[:place] + wide[place:].replace(b"/W [1 %d" % two, b"/W [1 4", 1)
    return begun(wide[:start] + new + wide[end:], shift)


def begun(pdf: bytes, shift: int) -> bytes:
    """With the place of the cross-reference told so much later."""
    place = int(re.findall(rb"startxref\n(\d+)", pdf)[0])
    return pdf.replace(b"\n%d\n" % place, b"\n%d\n" % (place + shift))


def shifted(data: bytes) -> bytes:
    """The content of an object stream with a value of no number before the first."""
    head, _, rest = data.partition(b"\n")
    numbers = [int(each) for each in head.split()]
    places = [each + 2 * (at % 2) for at, each in enumerate(numbers)]
    out = b" ".join(b"%d" % each for each in places)
    assert len(out) == len(head), "/First stays right"
    return out + b"\n7\n" + rest


def twice(pdf: pydyf.PDF, parts: Parts) -> None:
    """The entry names two streams under one key."""
    forged = pydyf.Stream([FORGED[:-1]], {"Type": "/Other"}, compress=True)
    pdf.add_object(forged)
    parts["entry"]["EF"] = f"<</F {forged.number} 0 R/F {parts['file'].number} 0 R>>"


def two_streams(pdf: pydyf.PDF, parts: Parts) -> None:
    """The entry names one stream for readers that know one key, another for those that know the other."""
    forged = pydyf.Stream([FORGED[:-1]], {"Type": "/Other"}, compress=True)
    pdf.add_object(forged)
    parts["entry"]["EF"]["UF"] = forged.reference


def numbered_twice(pdf: bytes) -> bytes:
    """The object stream tells one number twice, and that it has one object less than it lists."""
    first = int(re.findall(rb"/First (\d+)", pdf)[0])
    number = re.findall(rb"^(\d+)", zlib.decompress(pdf.split(b"/First")[1].split(b"stream\n", 1)[1]))[0]

    def listed(data: bytes) -> bytes:
        pair = b" %s %d" % (number, len(data) - first + 1)
        return data[: first - 1] + pair + data[first - 1 :] + b"\n<<>>"

    more = repacked(pdf, b"ObjStm", listed)
    grown = len(zlib.decompress(more.split(b"/First")[1].split(b"stream\n", 1)[1]).split(b"\n")[0]) + 1
    return stream(more, b"ObjStm", b"/First %d" % first, b"/First %d" % grown)


def spare(pdf: bytes) -> bytes:
    """A number more in the cross-reference, which is free."""
    count = int(re.findall(rb"/Size (\d+)", pdf)[0])
    more = table(pdf, b"/Size %d" % count, b"/Size %d" % (count + 1), lambda rows: [*rows, bytes(len(rows[0]))])
    return table(more, b"/Index [0 %d" % count, b"/Index [0 %d" % (count + 1))


def tampered() -> dict[str, tuple[bytes, str, str]]:
    """Name -> (PDF, answer, first line or its beginning)."""
    pdf = plain()
    no, unsure = "does not match", "could not verify"
    first, gap, last = pdf.index(b"3 0 obj"), pdf.index(b"5 0 obj"), int(re.findall(rb"startxref\n(\d+)", pdf)[0])
    hidden = b"9 0 obj\n<</Length 0>>\nstream\n\nendstream\nendobj\n"
    return {
        "plain": (pdf, "verified", ""),
        "packed-anew": (stream(pdf, b"EmbeddedFile", b"", b""), "verified", ""),
        "line-break": (tiny_pdf(REPORT), "verified", ""),
        "other-report": (tiny_pdf(FORGED[:-1]), no, ANOTHER),
        "one-space-more": (tiny_pdf(REPORT[:-1] + b" "), no, ANOTHER),
        "bomb": (tiny_pdf(REPORT[:-1] + bytes(2**22)), no, ANOTHER),
        "no-attachment": (changed(without), no, "report.pdf: holds no attachments"),
        "two-listed": (changed(lambda *both: second(*both, listed=True)), no, "report.pdf: holds 2 attachments"),
        "two-one-of-them-not-listed": (changed(lambda *both: second(*both, listed=False)), no, "report.pdf: holds 2 attachments"),
        "other-name": (
            changed(lambda pdf, parts: parts["entry"].update({"UF": pydyf.String("report.html")})),
            no,
            "report.pdf: holds another attachment than report.json",
        ),
        "script-at-opening": (acting("OpenAction", "<</S /JavaScript/JS (1)>>"), no, "report.pdf: holds /JS"),
        "name-in-disguise": (acting("Open#41ction", "[1 0 R /Fit]"), no, "report.pdf: holds /OpenAction"),
        "program": (acting("More", "<</S /Launch/F (x)>>"), no, "report.pdf: holds /Launch"),
        "address": (acting("More", "<</S /URI/URI (http://example.org)>>"), no, "report.pdf: holds /URI"),
        "script-before-printing": (acting("AA", "<</WP 1 0 R>>"), no, "report.pdf: holds /AA"),
        "form": (acting("AcroForm", "<</Fields []>>"), no, "report.pdf: holds /AcroForm"),
        "later-revision": (updated(pdf), unsure, LAYOUT),
        "bytes-behind-the-end": (pdf + b"\n", unsure, LAYOUT),
        "bytes-before-the-beginning": (b"\n" + pdf, unsure, LAYOUT),
        "doubled": (pdf + pdf, unsure, LAYOUT),
        "object-that-nothing-names": (moved(pdf, gap, gap, hidden), unsure, LAYOUT),
        "key-twice": (changed(twice), unsure, LAYOUT),
        "nested-list": (changed(nested), unsure, LAYOUT),
        "circular-list": (changed(circular), unsure, LAYOUT),
        "circular-table": (table(pdf, b"/Root", b"/Prev 15/Root"), unsure, LAYOUT),
        "huge-table": (table(pdf, b"/Size ", b"/Size 99999999"), unsure, LAYOUT),
        "wide-table": (table(pdf, b"/W [1 ", b"/W [1 99999999 "), unsure, LAYOUT),
        "encrypted": (table(pdf, b"/Root", b"/Encrypt <</Filter /Standard>>/Root"), unsure, LAYOUT),
        "bytes-of-another-file": (stream(pdf, b"EmbeddedFile", b"/Type", b"/F (/etc/passwd)/Type"), unsure, LAYOUT),
        "two-filters": (stream(pdf, b"EmbeddedFile", b"/FlateDecode", b"[/FlateDecode]"), unsure, LAYOUT),
        "deep": (acting("More", "[" * 5000 + "]" * 5000), unsure, LAYOUT),
        "version": (pdf.replace(b"%PDF-1.7", b"%PDF-1.4"), unsure, LAYOUT),
        "object-before-the-first": (moved(pdf, first, first, hidden), unsure, LAYOUT),
        "object-before-the-table": (begun(moved(pdf, last, last, hidden), -len(hidden)), unsure, LAYOUT),
        "bytes-before-the-table": (begun(pdf[:last] + hidden + pdf[last:], len(hidden)), unsure, LAYOUT),
        "table-of-no-type": (table(pdf, b"/XRef", b"/Xref"), unsure, LAYOUT),
        "table-of-another-number": (pdf[:last] + b"8" + pdf[last + 1:], unsure, LAYOUT),
        "table-in-two-parts": (table(pdf, b"/Index [0 ", b"/Index [0 1 1 "), unsure, LAYOUT),
        "table-of-one-byte-more": (table(pdf, b"", b"", lambda rows: [*rows, b"x"]), unsure, LAYOUT),
        "number-nothing-is-something": (table(pdf, b"", b"", lambda rows: [rows[1], *rows[1:]]), unsure, LAYOUT),
        "number-of-nothing": (spare(pdf), unsure, LAYOUT),
        "length-below-nothing": (stream(pdf, b"EmbeddedFile", b"/Length", b"/Length -18/Was"), unsure, LAYOUT),
        "length-elsewhere": (stream(pdf, b"EmbeddedFile", b"/Length", b"/Length 1 0 R/Was"), unsure, LAYOUT),
        "foretold": (stream(pdf, b"EmbeddedFile", b"/Type", b"/DecodeParms <</Predictor 12/Columns 1>>/Type"), unsure, LAYOUT),
        "bytes-behind-the-attachment": (repacked(pdf, b"EmbeddedFile", bytes, lambda x: zlib.compress(x) + b"x"), unsure, LAYOUT),
        "attachment-cut": (repacked(pdf, b"EmbeddedFile", bytes, lambda x: zlib.compress(x)[:-4]), unsure, LAYOUT),
        "value-of-no-number": (repacked(pdf, b"ObjStm", shifted), unsure, LAYOUT),
        "number-twice": (numbered_twice(pdf), unsure, LAYOUT),
        "byte-between-values": (repacked(pdf, b"ObjStm", lambda data: data.replace(b">>\n<<", b">>7<<", 1)), unsure, LAYOUT),
        "byte-behind-the-values": (repacked(pdf, b"ObjStm", lambda data: data + b")"), unsure, LAYOUT),
        "two-streams-in-one-entry": (changed(two_streams), unsure, LAYOUT),
        "list-and-nested-list": (changed(lambda pdf, parts: parts["tree"].update({"Kids": "[]"})), unsure, LAYOUT),
        "other-number": (pdf.replace(b"\n5 0 obj", b"\n7 0 obj"), unsure, LAYOUT),
        "shorter-than-told": (table(table(pdf, b"[0 10]", b"[0 11]"), b"/Size 10", b"/Size 11"), unsure, LAYOUT),
        "table-of-no-kinds": (table(pdf, b"/W [1 2", b"/W [0 3"), unsure, LAYOUT),
        "numbers-apart": (repacked(pdf, b"ObjStm", lambda data: data.replace(b" ", b"\t", 1)), unsure, LAYOUT),
        "objects-go-on": (stream(pdf, b"ObjStm", b"/Type", b"/Extends 3 0 R/Type"), unsure, LAYOUT),
        "comment": (acting("More", "1 %\n/OpenAction 1 0 R"), unsure, LAYOUT),
        "cut": (pdf[:-9], unsure, LAYOUT),
        "empty": (b"", unsure, LAYOUT),
    }  # fmt: skip


def main() -> None:
    """Write the files and expected.json."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = tampered()
    for name, (data, _, _) in found.items():
        (FOLDER / f"{name}.pdf").write_bytes(data)
    (FOLDER / "report.json").write_bytes(REPORT)
    expected = {f"{name}.pdf": {"answer": answer, "line": line} for name, (_, answer, line) in found.items()}
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
