"""Programs of the accelerators' kind, on any machine."""

import contextlib
import re

import jax

from diffbio import _platform
from diffbio._platform import Platform

_LOOP = re.compile(
    r"stablehlo\.while\((.*?)\) :.*\n\s*cond \{\n\s*%\S+ = stablehlo\.compare +LT, %(\S+), %(\S+),"
)
_ARRAY = re.compile(r"tensor<([\dx]+)x[a-z]+(\d+)>")


@contextlib.contextmanager
def assumed(platform: Platform):
    """Everything that is traced in this context is made for the platform."""
    jax.clear_caches()
    _platform.assumed = platform
    try:
        yield
    finally:
        _platform.assumed = None
        jax.clear_caches()


def rounds(text: str) -> int:
    """Rounds of all loops of a StableHLO text that have a constant number of them."""
    total = 0
    for loop in _LOOP.finditer(text):
        start = dict(pair.strip().split(" = ") for pair in loop[1].split(","))[f"%{loop[3]}"]
        constants = re.findall(
            rf"{re.escape(start)} = stablehlo\.constant dense<(\d+)>", text[: loop.start()]
        )
        total += int(constants[-1])
    return total


def largest_array(text: str) -> int:
    """Bytes of the largest array of a StableHLO text."""
    sizes = []
    for shape, bits in _ARRAY.findall(text):
        size = max(1, int(bits) // 8)
        for length in shape.split("x"):
            size *= int(length)
        sizes.append(size)
    return max(sizes)
