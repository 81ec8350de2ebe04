"""Bytes that the kernels of a compiled program read and write.

A kernel is an instruction outside of fusions; within a fusion, results stay in registers.
If a kernel slices an array, or updates a part of it in place, only the part counts.
"""

from collections.abc import Mapping

from benchmarks.measure.program_text.hlo import Computation, Instruction

__all__ = ["bytes_moved"]

Computations = Mapping[str, Computation]

# Instructions that only name, group or reinterpret arrays, or call other computations.
_MOVES_NOTHING = frozenset({
    "after-all", "bitcast", "call", "conditional", "constant", "get-tuple-element", "parameter",
    "tuple", "while",
})  # fmt: skip
_SLICES = frozenset({"dynamic-slice", "gather", "slice"})


def bytes_moved(kernel: Instruction, inside: Computation, computations: Computations) -> int:
    """Bytes that a kernel reads of its operands and writes of its results."""
    if kernel.opcode in _MOVES_NOTHING:
        return 0
    read = sum(_read(kernel, at, inside, computations) for at in range(len(kernel.operands)))
    return read + _written(kernel, inside, computations)


def _read(user: Instruction, at: int, inside: Computation, computations: Computations) -> int:
    """Bytes of its operand number ``at`` that an instruction reads."""
    operands = inside.operands_of(user)
    whole = operands[at].n_bytes
    match user.opcode:
        case "fusion":
            fused = computations[user.called("calls")[0]]
            return min(whole, _used(fused.parameter(at), fused, computations))
        case "bitcast":
            return min(whole, _used(user, inside, computations))
        case "dynamic-update-slice" if at == 0:
            return 0
        case "scatter" if at == 0:
            return min(whole, operands[-1].n_bytes)
        case opcode if opcode in _SLICES and at == 0:
            return min(whole, user.n_bytes)
    return whole


def _used(value: Instruction, inside: Computation, computations: Computations) -> int:
    """Bytes that all uses of a value within a fusion read of it."""
    uses = inside.uses_of(value.name)
    return sum(_read(user, at, inside, computations) for user, at in uses)


def _written(writer: Instruction, inside: Computation, computations: Computations) -> int:
    """Bytes of its results that an instruction writes."""
    operands = inside.operands_of(writer)
    match writer.opcode:
        case "fusion":
            fused = computations[writer.called("calls")[0]]
            return _written(fused.root, fused, computations)
        case "tuple":
            return sum(_written(operand, inside, computations) for operand in operands)
        case "bitcast":
            return _written(operands[0], inside, computations)
        case "dynamic-update-slice" if operands[0].opcode in ("parameter", "get-tuple-element"):
            return operands[1].n_bytes
        case "scatter":
            return min(writer.n_bytes, operands[-1].n_bytes)
    return writer.n_bytes
