"""The objects of a PDF of ours, from a file that may be a stranger's.

No PDF library reads here. Libraries mend what is broken and know every dialect, so two of them may see two files in one; and it
would be one more thing for every user to install. Our PDFs have one plain layout, as pydyf writes it: streams back to back, one
of them holding all other objects, a cross-reference stream, the end. This reads that layout and no other. Every byte belongs to
one object that the cross-reference names, no key stands twice, nothing was added later: no reader finds other objects.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from itertools import pairwise
from typing import Any, Final, NamedTuple

MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, zlib.error)
"""What `objects` and `inflated` raise where the layout is another one."""
_INFLATED = 64 * 2**20
_DEEP = 64
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
    """`12 0 R`."""

    number: int


class Stream(NamedTuple):
    """The dictionary of a stream, and its bytes as they stand in the file."""

    about: dict[str, Any]
    raw: bytes


def objects(pdf: bytes, names: Counter[str]) -> tuple[dict[int, Any], Ref]:
    """Every object by its number, and where the catalogue is. Counts in `names` every name that stands in any of them."""
    rows, spans, root = _table(pdf, names)
    streams: dict[int, Any] = {}
    for index, span in spans:
        own, streams[index] = _stream(span, names)
        if own != index:
            raise ValueError
    (holder,) = (index for index, stream in streams.items() if stream.about.get("Type") == "ObjStm")
    packed = _packed(streams[holder], names)
    if [rows[each] for each in packed] != [(2, holder, index) for index in range(len(packed))]:
        raise ValueError
    if rows[0] != (0, 0, 65535) or len(rows) != 1 + len(streams) + len(packed) + 1:  # 0, which is nothing, and the table itself
        raise ValueError
    return streams | packed, root


def _table(pdf: bytes, names: Counter[str]) -> tuple[list[tuple[int, int, int]], list[tuple[int, bytes]], Ref]:
    """The cross-reference; number and bytes of each stream before it, without a gap; where the catalogue is."""
    head, tail = _HEAD.match(pdf), _TAIL.search(pdf, max(0, len(pdf) - 64))
    if head is None or tail is None:
        raise ValueError
    last = int(tail[1])
    number, table = _stream(pdf[last : tail.start()], names)
    about = table.about
    if about["Type"] != "XRef" or about.keys() - _TABLE_KEYS or about["Index"] != [0, about["Size"]]:
        raise ValueError
    rows = _rows(_whole(table), about["W"], about["Size"])
    places = sorted((place, index) for index, (kind, place, generation) in enumerate(rows) if (kind, generation) == (1, 0))
    if places[0][0] != head.end() or places[-1] != (last, number):
        raise ValueError
    return rows, [(index, pdf[start:end]) for (start, index), (end, _) in pairwise(places)], about["Root"]


def _rows(data: bytes, widths: list[int], count: int) -> list[tuple[int, int, int]]:
    """The cross-reference: (kind, place or holder, generation or index) of each number from 0 on."""
    one, two, three = widths
    size = one + two + three
    if one != 1 or not (0 < two < 9 and 0 < three < 9) or len(data) != size * count:
        raise ValueError
    rows = (data[place : place + size] for place in range(0, len(data), size))
    return [(row[0], int.from_bytes(row[1 : 1 + two]), int.from_bytes(row[1 + two :])) for row in rows]


def _stream(data: bytes, names: Counter[str]) -> tuple[int, Stream]:
    """Number and content of a stream that fills `data` from the first to the last byte."""
    head, _, rest = data.partition(b"\nstream\n")
    number = re.match(rb"([1-9]\d{0,9}) 0 obj\n", head)
    if number is None:
        raise ValueError
    about = _value(head[number.end() :], names)
    raw = rest[: about["Length"]]
    if rest[len(raw) :] != b"\nendstream\nendobj\n" or len(raw) != about["Length"] or "F" in about:
        raise ValueError  # /F: its bytes would be those of another file
    return int(number[1]), Stream(about, raw)


def inflated(stream: Stream, longest: int) -> bytes:
    """What the stream holds; at most one byte more than `longest`, whatever it would swell to."""
    if stream.about["Filter"] != "FlateDecode" or "DecodeParms" in stream.about:
        raise ValueError
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(stream.raw, longest + 1)
    if len(data) <= longest and (not unpacking.eof or unpacking.unused_data):
        raise ValueError
    return data


def _whole(stream: Stream) -> bytes:
    data = inflated(stream, _INFLATED)
    if len(data) > _INFLATED:
        raise ValueError
    return data


def _packed(stream: Stream, names: Counter[str]) -> dict[int, Any]:
    """The objects of an object stream, in their order: numbers and places come first, then a value for each."""
    data, first = _whole(stream), stream.about["First"]
    if not re.fullmatch(rb"\d{1,10}(?: \d{1,10})*+\n", data[:first]) or "Extends" in stream.about:
        raise ValueError
    numbers = [int(each) for each in data[:first].split()]
    starts = [first + each for each in numbers[1::2]]
    spans = zip(numbers[::2], starts, [*starts[1:], len(data) + 1], strict=True)
    found = {number: _value(data[start : end - 1], names) for number, start, end in spans}
    if len(found) != len(starts) or len(found) != stream.about["N"] or starts[0] != first:
        raise ValueError
    if any(data[start - 1 : start] != b"\n" for start in starts):
        raise ValueError
    return found


def _value(data: bytes, names: Counter[str]) -> Any:
    """The one value that `data` is: names as str, texts as bytes. Refuses comments, doubled keys, endless depth."""
    stack: list[tuple[bytes, list[Any]]] = [(b"", [])]
    place = 0
    while found := _TOKEN.match(data, place):
        place, kind = found.end(), str(found.lastgroup)
        text, items = found[kind], stack[-1][1]
        if kind == "open":
            stack.append((text, []))
        elif kind == "close":
            stack[-2][1].append(_closed(stack.pop()[0] + text, items))
        elif kind == "name":
            items.append(_name(text))
            names[items[-1]] += 1
        elif kind == "word":
            items.append(_ref(items.pop(-2), items.pop()) if text == b"R" else _number(text))
        else:
            items.append(text)
        if len(stack) > _DEEP:
            raise ValueError
    ((_, (value,)),) = stack
    if data[place:].strip(b"\0\t\n\f\r "):
        raise ValueError
    return value


def _closed(brackets: bytes, items: list[Any]) -> Any:
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
