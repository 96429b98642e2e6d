"""Compiled functions work where their machine code can't be kept, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sync.compiled import PIECE, compiled, move_piece


def test_a_function_without_a_place_for_its_machine_code_is_compiled_all_the_same() -> None:
    # A function of no file: numba finds no place to keep it at, as where no directory can be written.
    names: dict[str, Any] = {}
    exec("def twice(number):\n    return 2 * number\n", names)
    assert compiled(names["twice"])(21) == 42


@pytest.mark.parametrize(("start", "at"), [(0, 0), (3, 5), (16, 1)])
def test_a_piece_is_moved_from_any_place_to_any_other(start: int, at: int) -> None:
    @compiled
    def moved(data: Any, start: int, out: Any, at: int) -> None:
        move_piece(data, start, out, at)

    data, out = np.arange(100, 100 + 2 * PIECE, dtype=np.uint8), np.zeros(2 * PIECE, np.uint8)
    moved(data, start, out, at)
    expected = bytes(at) + bytes(data[start : start + PIECE]) + bytes(PIECE - at)
    assert out.tobytes() == expected
