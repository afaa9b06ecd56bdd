"""Damage as disks, mail and people do it: flipped bits, cuts, inserts, doubled and zeroed pieces; the same for one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping


def mutants(files: Mapping[str, bytes], count: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` times (name of the damaged file, its damaged bytes), which always differ from the whole ones."""
    draw = random.Random(seed)
    names = sorted(files)
    made = 0
    while made < count:
        name = draw.choice(names)
        data = mutant(files[name], draw)
        if data != files[name]:
            made += 1
            yield name, data


def mutant(data: bytes, draw: random.Random) -> bytes:
    """One damaged copy; may by chance be equal."""
    start = draw.randrange(len(data) + 1)
    end = min(len(data), start + draw.choice((1, 1, 1, 2, 8, 100)))
    kind = draw.randrange(7)
    if kind == 0 and start < len(data):
        return data[:start] + bytes([data[start] ^ 1 << draw.randrange(8)]) + data[start + 1 :]
    if kind == 1:
        return data[:start] + draw.randbytes(end - start) + data[end:]
    if kind == 2:
        return data[:start] + data[end:]
    if kind == 3:
        return data[:start] + draw.choice((draw.randbytes(3), b" ", b"\n", b"0", b'"', b"}", b"{}")) + data[start:]
    if kind == 4:
        return data[:start]
    if kind == 5:
        return data[:end] + data[start:]
    return data[:start] + bytes(end - start) + data[end:]
