"""What the two rows of an update have in common: most of their columns.

Called by ``run`` with the tuples of many messages. What is told to be alike is so; it is looked at in words of eight
bytes, so some bytes beside a difference may not be told.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sync.source.postgresql.vector import Bytes, Places

MOST = 4096
"""Bytes from either end of a tuple that are looked at; so many can be read before and after all of them."""

_WORD = 8
_AT_ONCE = 1 << 18
"""Bytes that are compared at a time: what a core's cache holds."""


class Tuples(NamedTuple):
    """Where N tuples begin and end, in bytes."""

    begins: Places
    ends: Places


class Alike(NamedTuple):
    """Bytes that N pairs of tuples have in common at the beginning and at the end."""

    head: Places
    tail: Places


def alike(data: Bytes, olds: Tuples, news: Tuples) -> Alike:
    """Compare the tuples in pairs. What is told of one that has an impossible place means nothing."""
    shorter = np.minimum(olds.ends - olds.begins, news.ends - news.begins)
    longest = int(np.clip(shorter, 0, MOST).max(initial=0))
    width = -(-longest // _WORD) * _WORD or _WORD
    windows = sliding_window_view(data, width)
    step = max(_AT_ONCE // width, 1)
    head, tail = np.zeros_like(shorter), np.zeros_like(shorter)
    for start in range(0, len(shorter), step):
        part = slice(start, start + step)
        different = _words(windows, olds.begins[part]) != _words(windows, news.begins[part])
        head[part] = _until_first(different)
        different = _words(windows, olds.ends[part] - width) != _words(windows, news.ends[part] - width)
        tail[part] = _until_first(different[:, ::-1])
    return Alike(np.clip(head, 0, np.maximum(shorter, 0)), np.clip(tail, 0, np.maximum(shorter, 0)))


def _words(windows: NDArray[np.uint8], starts: Places) -> NDArray[np.uint64]:
    return windows[np.clip(starts, 0, len(windows) - 1)].view(np.uint64)


def _until_first(different: NDArray[np.bool_]) -> Places:
    first: Places = different.argmax(axis=1)
    none = ~different[np.arange(len(first)), first]
    first[none] = different.shape[1]
    first *= _WORD
    return first
