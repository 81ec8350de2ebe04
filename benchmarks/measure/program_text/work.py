"""The work that a compiled program does: flops, transcendentals, bytes read and written.

XLA's own cost analysis counts the body of a loop once, however often it runs. Here a body
counts as often as the compiler knows that it runs, so that a product has the same flops in
blocks of any size.

What depends on the data counts as its least. A loop without a known number of rounds
counts none: such a loop searches again the rows whose neighbours are not proven, and
there are normally none. A ``cond`` counts its cheaper branch.

No counter depends on the number of cores or the instruction set. XLA splits loops over the
cores and chooses vectors for the instruction set, but its instructions stay the same.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cache

from benchmarks.measure.program_text.hlo import Computation, Instruction, read_hlo
from benchmarks.measure.program_text.tally import Tally
from benchmarks.measure.program_text.traffic import bytes_moved

__all__ = ["Work", "work_of"]

# Counted once per element of a floating-point result, or of the numbers compared.
_ARITHMETIC = frozenset({
    "abs", "add", "ceil", "clamp", "compare", "divide", "floor", "maximum", "minimum", "multiply",
    "negate", "remainder", "round-nearest-afz", "round-nearest-even", "sign", "subtract",
})  # fmt: skip
_TRANSCENDENTAL = frozenset({
    "atan2", "cbrt", "cosine", "erf", "exponential", "exponential-minus-one", "log",
    "log-plus-one", "logistic", "power", "rsqrt", "sine", "sqrt", "tan", "tanh",
})  # fmt: skip
# The summed axes of a product, in HLO and where a library computes it on a GPU.
_CONTRACTED = re.compile(r'lhs_contracting_dim\w*"?[=:][{\[]([\d,"]*)')
_WINDOW = re.compile(r"window=\{size=([\dx]+)")
_SORTED_AXIS = re.compile(r"dimensions=\{(\d+)\}")


@dataclass(frozen=True)
class Work(Tally):
    """Floating-point operations, bytes that kernels read and write, transcendentals."""

    flops: int = 0
    bytes_accessed: int = 0
    transcendentals: int = 0

    def in_registers(self) -> "Work":
        """The same operations within a kernel, which moves no bytes between them."""
        return Work(self.flops, 0, self.transcendentals)


def work_of(text: str) -> Work:
    """The work of one call of the program with this optimised HLO text."""
    computations, entry = read_hlo(text)

    @cache
    def of_computation(name: str) -> Work:
        inside = computations[name]
        return sum((of(one, inside) for one in inside.instructions.values()), Work())

    def of_called(instruction: Instruction, *attributes: str) -> Work:
        return sum(map(of_computation, instruction.called(*attributes)), Work())

    def of(instruction: Instruction, inside: Computation) -> Work:
        match instruction.opcode:
            case "while":
                trips = instruction.known_trips
                body = of_called(instruction, "body")
                return trips * body + (trips + 1) * of_called(instruction, "condition")
            case "conditional":
                return _least(map(of_computation, instruction.branches))
            case "call":
                return of_called(instruction, "to_apply")
        moved = Work(bytes_accessed=bytes_moved(instruction, inside, computations))
        if instruction.opcode == "fusion":
            return of_called(instruction, "calls").in_registers() + moved
        applied = of_called(instruction, "to_apply").in_registers()
        times = _applications(instruction, inside)
        return _operations(instruction, inside) + times * applied + moved

    return of_computation(entry)


def _least(branches: Iterable[Work]) -> Work:
    return Work(*map(min, zip(*map(astuple, branches), strict=True)))


def _operations(instruction: Instruction, inside: Computation) -> Work:
    """Operations of one instruction by itself; a product has two per pair that it sums."""
    size, operands = instruction.size, inside.operands_of(instruction)
    if contracted := _CONTRACTED.search(instruction.attributes):
        axes = [int(axis) for axis in re.findall(r"\d+", contracted[1])]
        return Work(flops=2 * size * math.prod(operands[0].dimensions[axis] for axis in axes))
    if instruction.opcode in _TRANSCENDENTAL:
        return Work(transcendentals=size)
    if instruction.opcode in _ARITHMETIC and operands[-1].results[0].is_floating:
        return Work(flops=size)
    return Work()


def _applications(instruction: Instruction, inside: Computation) -> int:
    """How often an instruction applies its computation, as a sum applies an addition."""
    operands = inside.operands_of(instruction)
    match instruction.opcode:
        case "reduce":
            return operands[0].size
        case "reduce-window":
            (sizes,) = _WINDOW.findall(instruction.attributes)
            return instruction.size * math.prod(map(int, sizes.split("x")))
        case "scatter":
            return operands[-1].size
        case "sort":
            (axis,) = _SORTED_AXIS.findall(instruction.attributes)
            length = operands[0].dimensions[int(axis)]
            return operands[0].size * (length - 1).bit_length()
    return instruction.size
