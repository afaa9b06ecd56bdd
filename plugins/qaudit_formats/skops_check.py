"""Checks a skops file before anything in it is built: sizes, node kinds, types, versions and tree indices."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import sklearn
from skops.io import get_untrusted_types

from qaudit import Refused
from qaudit_formats.sklearn_lowering import check_tree

MEMBERS = 100_000
TOTAL = 2 * 2**30
SCHEMA = 256 * 2**20
RATIO = 200
_DATA = json.loads(Path(__file__).with_name("reviewed_types.json").read_text(encoding="utf-8"))
REVIEWED: tuple[str, ...] = tuple(_DATA["reviewed"])
LOADERS: frozenset[str] = frozenset(_DATA["loaders"])

Node = dict[str, Any]


def check_sizes(archive: ZipFile, name: str) -> None:
    """Raise Refused for too many members, too many bytes, or a member that unpacks to more than RATIO times its size."""
    members = archive.infolist()
    if len(members) > MEMBERS:
        raise Refused(f"{name}: {len(members)} members in the archive; at most {MEMBERS} are read")
    if len({member.filename for member in members}) < len(members):
        raise Refused(f"{name}: two members of the archive have one name")
    if (total := sum(member.file_size for member in members)) > TOTAL:
        raise Refused(f"{name}: {total} bytes unpacked; at most {TOTAL} are read")
    for member in members:
        if member.file_size > 2**20 and member.file_size > RATIO * max(member.compress_size, 1):
            raise Refused(f"{name}: {member.filename!r} swells more than {RATIO} times")
        if member.filename == "schema.json" and member.file_size > SCHEMA:
            raise Refused(f"{name}: schema.json has {member.file_size} bytes; at most {SCHEMA} are read")


def read_schema(archive: ZipFile, name: str) -> Node:
    """The parsed schema.json. Raises Refused where it is missing or not a skops schema."""
    try:
        schema = json.loads(archive.read("schema.json"))
    except (KeyError, ValueError, RecursionError, BadZipFile) as error:
        raise Refused(f"{name}: schema.json is missing or not readable ({type(error).__name__})") from error
    if not isinstance(schema, dict) or "__loader__" not in schema:
        raise Refused(f"{name}: schema.json is not a skops schema")
    return schema


def nodes(schema: Any) -> Iterator[Node]:
    """All nodes of the schema, visited without recursion, so that deep nesting cannot exhaust the stack."""
    to_visit = [schema]
    while to_visit:
        item = to_visit.pop()
        if isinstance(item, dict):
            if "__loader__" in item:
                yield item
            to_visit.extend(item.values())
        elif isinstance(item, list):
            to_visit.extend(item)


def _literal(node: Any) -> Any:
    """The value of a JsonNode; None for any other node."""
    if isinstance(node, dict) and node.get("__loader__") == "JsonNode" and isinstance(node.get("content"), str):
        try:
            return json.loads(node["content"])
        except ValueError:
            return None
    return None


def check_kinds(schema: Node, name: str) -> None:
    """Raise Refused for a node kind that is not in LOADERS."""
    for node in nodes(schema):
        if node["__loader__"] not in LOADERS:
            type_name = f"{node.get('__module__')}.{node.get('__class__')}"
            raise Refused(f"{name}: holds a {node['__loader__']} ({type_name}), which is not among the node kinds that are read")


def check_versions(schema: Node, name: str) -> None:
    """Raise Refused where an estimator in the file was made by another version of scikit-learn."""
    for node in nodes(schema):
        content = node.get("content")
        inner = content.get("content") if isinstance(content, dict) else None
        made = _literal(inner.get("_sklearn_version")) if isinstance(inner, dict) else None
        if made is not None and made != sklearn.__version__:
            raise Refused(
                f"{name}: made by scikit-learn {made}; this is {sklearn.__version__}: install {made} or save the model again"
            )


def _header(archive: ZipFile, member: str, name: str) -> None:
    """Raise Refused where a .npy header announces objects, or more bytes than the member has."""
    size = archive.getinfo(member).file_size
    with archive.open(member) as stream:
        try:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(stream)
        except (ValueError, OSError, EOFError, SyntaxError, TokenError) as error:  # numpy tokenizes old headers as Python source
            raise Refused(f"{name}: {member!r} is not a .npy array") from error
    needed = dtype.itemsize
    for length in shape:
        needed *= int(length)
    if dtype.hasobject or needed > size:
        raise Refused(f"{name}: {member!r} promises {needed} bytes of {dtype} and holds {size}")


def check_arrays(archive: ZipFile, name: str) -> None:
    """Raise Refused for an array whose header does not fit its bytes."""
    for member in archive.namelist():
        if member.endswith(".npy"):
            _header(archive, member, name)


def _array(archive: ZipFile, node: Any, name: str) -> Any:
    try:
        return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"{name}: a tree's array is missing or not readable") from error


def check_trees(archive: ZipFile, schema: Node, name: str) -> None:
    """Raise Refused where a child or feature index of a tree is out of range.

    scikit-learn does not check these indices and would read outside its arrays.
    """
    known = {node.get("__id__"): node for node in nodes(schema) if node["__loader__"] == "NdArrayNode"}
    trees = [node for node in nodes(schema) if node["__loader__"] == "TreeNode"]
    for number, node in enumerate(trees):
        try:
            state, arguments = node["content"]["content"], node["__reduce__"]["args"]["content"]
            features, count = _literal(arguments[0]), _literal(state["node_count"])
            stored, values = state["nodes"], state["values"]
        except (KeyError, TypeError, IndexError) as error:
            raise Refused(f"{name}: tree {number} is not in scikit-learn's form") from error
        table = _array(archive, known.get(stored.get("__id__"), stored), name)
        shape = _array(archive, known.get(values.get("__id__"), values), name).shape
        if table.ndim != 1 or table.dtype.names is None or "left_child" not in table.dtype.names:
            raise Refused(f"{name}: tree {number} has no node table")
        if count != len(table) or len(shape) != 3 or shape[0] != len(table) or not isinstance(features, int):
            raise Refused(f"{name}: tree {number} says {count} nodes, holds {len(table)}, with values of shape {shape}")
        check_tree(table, features, f"{name}: tree {number}")


def check_generators(schema: Node, name: str) -> None:
    """Raise Refused where the position of a random state is outside its 624 words: drawing from it would crash."""
    for node in nodes(schema):
        if node["__loader__"] == "RandomStateNode":
            for inner in nodes(node):
                pos = _literal(inner["content"].get("pos")) if isinstance(inner.get("content"), dict) else None
                if pos is not None and not (isinstance(pos, int) and 0 <= pos <= 624):
                    raise Refused(f"{name}: a random state at position {pos} of 624")


def check_file(path: Path) -> None:
    """Run all checks of this module on a file. Raises Refused with a message of one line."""
    try:
        with ZipFile(path) as archive:
            check_sizes(archive, path.name)
            schema = read_schema(archive, path.name)
            check_kinds(schema, path.name)
            check_versions(schema, path.name)
            check_arrays(archive, path.name)
            check_trees(archive, schema, path.name)
            check_generators(schema, path.name)
    except (BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError, struct.error, zlib.error) as error:
        raise Refused(f"{path.name}: not a readable archive ({type(error).__name__}: {error})") from error
    try:
        unknown = set(get_untrusted_types(file=path)) - set(REVIEWED)
    except Exception as error:  # an untrusted file may cause any exception
        raise Refused(f"{path.name}: not readable as skops ({type(error).__name__}: {str(error)[:200]})") from error
    if unknown:
        listed = ", ".join(sorted(unknown)[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        raise Refused(f"{path.name}: holds types that nobody reviewed: {listed}")
