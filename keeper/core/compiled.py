"""Loops as machine code that runs outside the interpreter's lock.

Laws
- A kernel is compiled when its module is imported, never later, from code kept on disk where there is a place for it.
- A kernel has no bounds checks: who calls it answers for every index.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def kernel(signature: str) -> Callable[[Loop], Loop]:
    """Compiled for these types, and for no others."""

    def compiled(loop: Loop) -> Loop:
        try:
            found = njit(signature, nogil=True, error_model="numpy", cache=True)(loop)
        except RuntimeError:  # numba found no folder that it may write to
            found = njit(signature, nogil=True, error_model="numpy")(loop)
        return cast("Loop", found)

    return compiled


def inlined(loop: Loop) -> Loop:
    """Compiled into the kernels that call it. Of the same module: code on disk is as old as its own source file."""
    return cast("Loop", njit(nogil=True, error_model="numpy")(loop))
