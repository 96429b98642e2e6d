"""Where a value stands in its YAML file: line and column for the message about a mistake in it.

Called only once there is a mistake: the file is composed again, with its marks.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml


def position(file: Path, place: str, offset: int = 0) -> str:
    """``line 12, column 34`` of the character at ``offset`` of the value at ``place`` (``rules[3].expression``).

    Of the nearest value around it where the place itself is not written.
    """
    text = file.read_text(encoding="utf-8")
    node = yaml.compose(text, yaml.SafeLoader)
    found = node
    for step in re.findall(r"[^.\[\]]+", place):
        node = _step(node, step)
        if node is None:
            break
        found = node
    if found is None:
        return "line 1, column 1"
    index = found.start_mark.index
    if isinstance(found, yaml.ScalarNode) and node is not None:
        index = _index(text, found, offset)
    return f"line {text.count(chr(10), 0, index) + 1}, column {index - text.rfind(chr(10), 0, index)}"


def _step(node: yaml.Node | None, step: str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
        item: yaml.Node = node.value[int(step)]
        return item
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                entry: yaml.Node = value
                return entry
    return None


def _index(text: str, node: yaml.ScalarNode, offset: int) -> int:
    """The place in the file of a scalar's character: the same count of characters that are no white space."""
    left = len("".join(str(node.value)[:offset].split()))
    index, end = node.start_mark.index, node.end_mark.index
    if node.style in ("|", ">"):
        index = text.find("\n", index, end) + 1
    elif node.style:
        index += 1
    while index < end:
        if not text[index].isspace():
            if left == 0:
                return index
            left -= 1
            # An escape of a quoted scalar stands for one character.
            if (text[index] == "\\" and node.style == '"') or (text[index : index + 2] == "''" and node.style == "'"):
                index += 1
        index += 1
    return node.start_mark.index
