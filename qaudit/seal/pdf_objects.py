"""Reads the objects of a PDF that qaudit made, from a file that may come from anybody.

No PDF library is used. Libraries repair broken files and accept every variant of the format, so two of them may see different
contents in one file; and a library would be one more dependency for every user. PDFs of qaudit have one simple layout, as pydyf
writes it: streams one after the other, one of them with all other objects, a cross-reference stream, and the end marker. Only
this layout is accepted. Every byte belongs to exactly one object of the cross-reference, no key appears twice and nothing was
appended later, so every PDF reader sees the same objects as this module.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from itertools import pairwise
from typing import Any, Final, NamedTuple

MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, zlib.error)
"""The exceptions that `objects` and `inflated` raise where the file has another layout."""
_MAX_INFLATED = 64 * 2**20
_MAX_DEPTH = 64
_HEAD = re.compile(rb"%PDF-1\.7\n%[\x80-\xff]{4}\n")
_TAIL = re.compile(rb"startxref\n(\d{1,10})\n%%EOF\n\Z")
_TABLE_KEYS = {"Type", "Index", "W", "Size", "Root", "Info", "ID", "Filter", "Length"}
_TOKEN = re.compile(
    rb"[\0\t\n\f\r ]*+(?:(?P<open><<|\[)|(?P<close>>>|\])|/(?P<name>[^\0\t\n\f\r ()<>\[\]{}/%]*+)"
    rb"|\((?P<text>(?:[^\\()]|\\.)*+)\)|<(?P<hex>[0-9A-Fa-f]*+)>|(?P<word>[^\0\t\n\f\r ()<>\[\]{}/%]++))",
    re.DOTALL,
)
_NUMBER = re.compile(rb"[+-]?(?:\d{1,10}(?:\.\d*)?|\.\d+)")
_WORDS: Final = {b"true": True, b"false": False, b"null": None}


class Ref(NamedTuple):
    """A reference to an object, written `12 0 R` in the file."""

    number: int


class Stream(NamedTuple):
    """The dictionary of a stream, and its bytes as stored in the file (compressed)."""

    about: dict[str, Any]
    raw: bytes


def objects(pdf: bytes, names: Counter[str]) -> tuple[dict[int, Any], Ref]:
    """All objects by number, and the reference of the catalogue. Every PDF name that occurs in them is counted in `names`."""
    rows, spans, root = _table(pdf, names)
    streams: dict[int, Any] = {}
    for index, span in spans:
        stated, streams[index] = _stream(span, names)
        if stated != index:
            raise ValueError
    (holder,) = (index for index, stream in streams.items() if stream.about.get("Type") == "ObjStm")
    packed = _packed(streams[holder], names)
    if [rows[number] for number in packed] != [(2, holder, index) for index in range(len(packed))]:
        raise ValueError
    if rows[0] != (0, 0, 65535) or len(rows) != 1 + len(streams) + len(packed) + 1:  # number 0 is free; + 1 for the table
        raise ValueError
    return streams | packed, root


def _table(pdf: bytes, names: Counter[str]) -> tuple[list[tuple[int, int, int]], list[tuple[int, bytes]], Ref]:
    """The rows of the cross-reference, the number and bytes of each stream before it, and the reference of the catalogue.

    The streams follow one another without a gap, so that nothing can be hidden between them.
    """
    head, tail = _HEAD.match(pdf), _TAIL.search(pdf, max(0, len(pdf) - 64))
    if head is None or tail is None:
        raise ValueError
    last = int(tail[1])
    number, table = _stream(pdf[last : tail.start()], names)
    about = table.about
    if about["Type"] != "XRef" or about.keys() - _TABLE_KEYS or about["Index"] != [0, about["Size"]]:
        raise ValueError
    rows = _rows(_inflated_fully(table), about["W"], about["Size"])
    places = sorted((place, index) for index, (kind, place, generation) in enumerate(rows) if (kind, generation) == (1, 0))
    if places[0][0] != head.end() or places[-1] != (last, number):
        raise ValueError
    return rows, [(index, pdf[start:end]) for (start, index), (end, _) in pairwise(places)], about["Root"]


def _rows(data: bytes, widths: list[int], count: int) -> list[tuple[int, int, int]]:
    """The cross-reference rows in order of object number.

    A row is (1, place in the file, generation) or (2, number of the object stream, index in it);
    `widths` are the bytes per field.
    """
    kind_width, place_width, last_width = widths
    size = kind_width + place_width + last_width
    if kind_width != 1 or not (0 < place_width < 9 and 0 < last_width < 9) or len(data) != size * count:
        raise ValueError
    rows = (data[place : place + size] for place in range(0, len(data), size))
    return [(row[0], int.from_bytes(row[1 : 1 + place_width]), int.from_bytes(row[1 + place_width :])) for row in rows]


def _stream(data: bytes, names: Counter[str]) -> tuple[int, Stream]:
    """Number and content of a stream object that fills `data` from the first to the last byte."""
    head, _, rest = data.partition(b"\nstream\n")
    number = re.match(rb"([1-9]\d{0,9}) 0 obj\n", head)
    if number is None:
        raise ValueError
    about = _value(head[number.end() :], names)
    raw = rest[: about["Length"]]
    if rest[len(raw) :] != b"\nendstream\nendobj\n" or len(raw) != about["Length"] or "F" in about:
        raise ValueError  # with /F the content would be in another file
    return int(number[1]), Stream(about, raw)


def inflated(stream: Stream, longest: int) -> bytes:
    """The unpacked content of a stream; at most one byte more than `longest`, however large it would become."""
    if stream.about["Filter"] != "FlateDecode" or "DecodeParms" in stream.about:
        raise ValueError
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(stream.raw, longest + 1)
    if len(data) <= longest and (not unpacking.eof or unpacking.unused_data):
        raise ValueError
    return data


def _inflated_fully(stream: Stream) -> bytes:
    data = inflated(stream, _MAX_INFLATED)
    if len(data) > _MAX_INFLATED:
        raise ValueError
    return data


def _packed(stream: Stream, names: Counter[str]) -> dict[int, Any]:
    """The objects in an object stream, in order. The stream starts with the number and place of each; then come their values."""
    data, first = _inflated_fully(stream), stream.about["First"]
    if not re.fullmatch(rb"\d{1,10}(?: \d{1,10})*+\n", data[:first]) or "Extends" in stream.about:
        raise ValueError
    header = [int(number) for number in data[:first].split()]
    starts = [first + place for place in header[1::2]]
    spans = zip(header[::2], starts, [*starts[1:], len(data) + 1], strict=True)
    values = {number: _value(data[start : end - 1], names) for number, start, end in spans}
    if len(values) != len(starts) or len(values) != stream.about["N"] or starts[0] != first:
        raise ValueError
    if any(data[start - 1 : start] != b"\n" for start in starts):
        raise ValueError
    return values


def _value(data: bytes, names: Counter[str]) -> Any:
    """The single PDF value that `data` contains: names as str, texts as bytes.

    Comments, duplicate keys and nesting deeper than _MAX_DEPTH raise ValueError.
    """
    stack: list[tuple[bytes, list[Any]]] = [(b"", [])]
    place = 0
    while token := _TOKEN.match(data, place):
        place, kind = token.end(), str(token.lastgroup)
        text, items = token[kind], stack[-1][1]
        if kind == "open":
            stack.append((text, []))
        elif kind == "close":
            stack[-2][1].append(_container(stack.pop()[0] + text, items))
        elif kind == "name":
            items.append(_name(text))
            names[items[-1]] += 1
        elif kind == "word":
            items.append(_ref(items.pop(-2), items.pop()) if text == b"R" else _number(text))
        else:
            items.append(text)
        if len(stack) > _MAX_DEPTH:
            raise ValueError
    ((_, (value,)),) = stack
    if data[place:].strip(b"\0\t\n\f\r "):
        raise ValueError
    return value


def _container(brackets: bytes, items: list[Any]) -> Any:
    if brackets == b"[]":
        return items
    table = dict(zip(items[::2], items[1::2], strict=True))
    if brackets != b"<<>>" or 2 * len(table) != len(items) or not all(isinstance(key, str) for key in table):
        raise ValueError
    return table


def _ref(number: Any, generation: Any) -> Ref:
    if type(number) is not int or type(generation) is not int or generation != 0:
        raise ValueError
    return Ref(number)


def _name(text: bytes) -> str:
    if re.search(rb"#(?![0-9A-Fa-f]{2})", text):
        raise ValueError
    return re.sub(rb"#(..)", lambda code: bytes.fromhex(code[1].decode()), text).decode("latin-1")


def _number(word: bytes) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    if not _NUMBER.fullmatch(word):
        raise ValueError
    return float(word) if b"." in word else int(word)
