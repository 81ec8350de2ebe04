"""The text of a compiled program, read into its computations and their instructions."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["ArrayType", "Computation", "Instruction", "read_hlo"]

_HEADER = re.compile(r"^(ENTRY )?%([\w.-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%([\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*?)\)(.*)$")
_ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,]*)\]")
_NAME = re.compile(r"%([\w.-]+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


class ArrayType(NamedTuple):
    """Element type and dimensions of an array, such as ``f32[64,50]``."""

    dtype: str
    dimensions: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes of the array; types without a number of bits take one byte per element."""
        bits = re.search(r"\d+", self.dtype)
        return math.prod(self.dimensions) * max(1, int(bits[0]) // 8 if bits else 1)

    @property
    def is_floating(self) -> bool:
        return self.dtype.startswith(("f", "bf", "c"))


class Instruction(NamedTuple):
    """One line of a computation: ``%name = results opcode(operands), attributes``."""

    name: str
    opcode: str
    results: tuple[ArrayType, ...]
    operands: tuple[str, ...]
    attributes: str
    argument: str

    @property
    def dimensions(self) -> tuple[int, ...]:
        """Dimensions of the first result."""
        return self.results[0].dimensions

    @property
    def size(self) -> int:
        """Elements of the first result; 0 without one."""
        return math.prod(self.dimensions) if self.results else 0

    @property
    def n_bytes(self) -> int:
        """Bytes of all results."""
        return sum(array.n_bytes for array in self.results)

    @property
    def known_trips(self) -> int:
        """How often the compiler knows that a loop runs; 0 if that depends on the data."""
        known = _TRIPS.search(self.attributes)
        return int(known[1]) if known else 0

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the computations that a conditional chooses from."""
        return self.called("branch_computations", "true_computation", "false_computation")

    def called(self, *attributes: str) -> tuple[str, ...]:
        """Names of the computations that stand under any of the attributes."""
        lists = re.findall(rf"\b(?:{'|'.join(attributes)})=(%[\w.-]+|{{[^}}]*}})", self.attributes)
        return tuple(_NAME.findall("".join(lists)))


class Computation(NamedTuple):
    """Instructions by name, and the one whose result is the computation's."""

    instructions: Mapping[str, Instruction]
    root: Instruction

    def operands_of(self, instruction: Instruction) -> list[Instruction]:
        return [self.instructions[name] for name in instruction.operands]

    def uses_of(self, name: str) -> list[tuple[Instruction, int]]:
        """Instructions that take a result, each with the number of the operand that it is."""
        return [
            (instruction, at)
            for instruction in self.instructions.values()
            for at, operand in enumerate(instruction.operands)
            if operand == name
        ]

    def parameter(self, number: int) -> Instruction:
        (found,) = (
            instruction
            for instruction in self.instructions.values()
            if instruction.opcode == "parameter" and instruction.argument == str(number)
        )
        return found


def read_hlo(text: str) -> tuple[dict[str, Computation], str]:
    """All computations by name, and the name of the one that the program enters."""
    computations: dict[str, Computation] = {}
    entry, name, root = "", "", ""
    instructions: dict[str, Instruction] = {}
    for line in text.splitlines():
        if header := _HEADER.match(line):
            name, instructions = header[2], {}
            entry = name if header[1] else entry
        elif found := _INSTRUCTION.match(line):
            instructions[found[2]] = _instruction(found)
            root = found[2] if found[1] else root
        elif line == "}":
            computations[name] = Computation(instructions, instructions[root])
    return computations, entry


def _instruction(found: re.Match[str]) -> Instruction:
    _, name, results, opcode, argument, attributes = found.groups()
    arrays = tuple(
        ArrayType(dtype, tuple(int(n) for n in dimensions.split(",") if n))
        for dtype, dimensions in _ARRAY.findall(results)
    )
    return Instruction(name, opcode, arrays, tuple(_NAME.findall(argument)), attributes, argument)
