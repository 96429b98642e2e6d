"""Functions over arrays that are compiled to machine code, by numba.

Used where a loop runs for each field of each row. A compiled function runs without the interpreter's lock; it checks
no bounds, so it must know how far it may read and write. The machine code is kept beside the module (or in
``NUMBA_CACHE_DIR``, or the user's cache): it is compiled once a machine, which takes some seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

_P = ParamSpec("_P")
_R = TypeVar("_R")

Bytes = NDArray[np.uint8]

PIECE = 16
"""Bytes that ``move_piece`` moves."""


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return the function compiled when it is first called, for the types it is called with."""
    try:
        kept: Callable[_P, _R] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # No directory that can be written: each process compiles for itself.
        kept = numba.njit(nogil=True)(function)
    return kept


def _move_piece(typing: Any, data: Any, start: Any, out: Any, at: Any) -> Any:
    del typing

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        piece = ir.VectorType(ir.IntType(8), PIECE)
        arrays = [context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 2)]
        source, target = (
            builder.bitcast(builder.gep(array, [place]), piece.as_pointer())
            for array, place in zip(arrays, (values[1], values[3]), strict=True)
        )
        builder.store(builder.load(source, typ=piece, align=1), target, align=1)
        return context.get_dummy_value()

    return types.void(data, start, out, at), code


move_piece: Callable[[Bytes, int, Bytes, int], None] = cast(Any, intrinsic(_move_piece))
"""``move_piece(data, start, out, at)``, in compiled functions: PIECE bytes of ``data`` to ``out``, in two instructions.

A loop over the few bytes of a field takes ten times as long, most of it for the loop's end.
"""
