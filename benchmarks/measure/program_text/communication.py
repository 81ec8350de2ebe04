"""What a device communicates in one call of a compiled program over several devices.

A collective counts the arrays that it moves, each as large as it is before or after,
whichever is larger: a sum is as large as its result, a gathered array as large as the whole.
The algorithm of the machine makes no difference, nor do several sums that the
compiler merged into one instruction. As in ``work``, every round of a loop counts, and what
depends on the data counts as its least.
"""

import re
from dataclasses import dataclass
from functools import cache

from benchmarks.measure.program_text.hlo import Computation, Instruction, read_hlo
from benchmarks.measure.program_text.tally import Tally

__all__ = ["Communication", "communication_of"]

_RING_STEP = "collective-permute"
_COLLECTIVES = frozenset({
    "all-gather", "all-reduce", "all-to-all", "collective-broadcast", _RING_STEP, "reduce-scatter",
})  # fmt: skip
# A program over one device keeps its collectives, which then move nothing.
_ALONE = re.compile(r"replica_groups=(\{\{\d+\}|\[\d+,1\]<=)")


@dataclass(frozen=True)
class Communication(Tally):
    """Bytes and arrays that collectives move, and the rounds that pass arrays round a ring."""

    communicated_bytes: int = 0
    messages: int = 0
    ring_rounds: int = 0


def communication_of(text: str) -> Communication:
    """The communication of each device in the program with this optimised HLO text."""
    computations, entry = read_hlo(text)

    @cache
    def of_computation(name: str) -> Communication:
        inside = computations[name]
        instructions = inside.instructions.values()
        passes_on = any(one.opcode == _RING_STEP for one in instructions)
        rounds = Communication(ring_rounds=int(passes_on))
        return sum((of(one, inside) for one in instructions), rounds)

    def of(instruction: Instruction, inside: Computation) -> Communication:
        match instruction.opcode:
            case "while":
                (body,) = instruction.called("body")
                return instruction.known_trips * of_computation(body)
            case "conditional":
                branches = map(of_computation, instruction.branches)
                return min(branches, key=lambda branch: branch.communicated_bytes)
            case "call":
                (called,) = instruction.called("to_apply")
                return of_computation(called)
            case opcode if opcode in _COLLECTIVES and not _ALONE.search(instruction.attributes):
                return _moved(instruction, inside)
        return Communication()

    return of_computation(entry)


def _moved(collective: Instruction, inside: Computation) -> Communication:
    given = [operand.n_bytes for operand in inside.operands_of(collective)]
    returned = [array.n_bytes for array in collective.results]
    moved = list(map(max, given, returned))
    return Communication(sum(moved), len(moved))
