"""How a long-lived process lets Python look for cyclic garbage. Called once, when all modules are there."""

from __future__ import annotations

import gc


def spare() -> None:
    """Look for cycles rarely, and never among what is here already.

    A batch makes tens of thousands of small objects that end with it: looking through them at the default rate costs a
    tenth of the CPU and finds none.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
