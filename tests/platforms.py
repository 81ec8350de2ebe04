"""The program of a platform, read or run on any machine."""

import re

import jax
from jax import export

_LOOP = re.compile(
    r"stablehlo\.while\((.*?)\) :.*\n\s*cond \{\n\s*%\S+ = stablehlo\.compare +LT, %(\S+), %(\S+),"
)
_ARRAY = re.compile(r"tensor<([\dx]+)x[a-z]+(\d+)>")


def made_for(platform: str, program):
    """The program as it is lowered for ``"cpu"`` or ``"cuda"``, to be called on any machine."""
    unchecked = [export.DisabledSafetyCheck.platform()]
    lower = export.export(jax.jit(program), platforms=(platform,), disabled_checks=unchecked)
    return jax.jit(lambda *arrays: lower(*arrays).call(*arrays))


def parameters_on_cpu(equation):
    """An equation's parameters; of a choice by platform, the branch of the CPU alone."""
    platforms = equation.params.get("branches_platforms")
    if platforms is None:
        return equation.params
    of_cpu = [names is None or "cpu" in names for names in platforms]
    return {"branch": equation.params["branches"][of_cpu.index(True)]}


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
