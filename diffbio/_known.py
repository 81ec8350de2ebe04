"""Checks of numbers, each made when its numbers are known.

A program is traced without the numbers of its inputs, and kept. Who runs it collects the checks of
its inputs while it is traced, and makes them in every call.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from diffbio._arrays import is_traced

__all__ = ["InputCheck", "collected_checks", "when_known"]

# Given the inputs of a program in their order, raises if their numbers are not accepted.
InputCheck = Callable[[Sequence[Any]], None]

# Where each traced input stands, by its identity, and the checks found so far.
_collecting: ContextVar[tuple[dict[int, int], list[InputCheck]] | None] = ContextVar(
    "collecting", default=None
)


def when_known(check: Callable[..., None], *operands: Any) -> bool:
    """Make a check of numbers now, or have it made when a program runs whose inputs they are.

    Args:
        check: raises for operands that are not accepted. It holds no traced numbers itself.
        *operands: arrays and numbers.

    Returns:
        Whether the check is made at all: it is not for traced operands that are no inputs, or
        that nobody collects checks of.
    """
    if not any(map(is_traced, operands)):
        check(*operands)
        return True
    places, checks = _collecting.get() or ({}, [])
    positions = [places.get(id(operand)) for operand in operands]
    others = [None if id(operand) in places else operand for operand in operands]
    if any(map(is_traced, others)):
        return False
    checks.append(partial(_of_inputs, check, positions, others))
    return True


def _of_inputs(
    check: Callable[..., None],
    positions: Sequence[int | None],
    others: Sequence[Any],
    inputs: Sequence[Any],
) -> None:
    pairs = zip(positions, others, strict=True)
    check(*(other if position is None else inputs[position] for position, other in pairs))


@contextmanager
def collected_checks(inputs: Sequence[Any]) -> Iterator[list[InputCheck]]:
    """The checks of these inputs that the code inside cannot make, because they are traced."""
    places = {id(array): place for place, array in enumerate(inputs) if is_traced(array)}
    checks: list[InputCheck] = []
    before = _collecting.set((places, checks))
    try:
        yield checks
    finally:
        _collecting.reset(before)
