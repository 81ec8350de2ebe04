"""What a device holds: its share, whatever the loss."""

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from tests.functional.test_memory import shapes
from tests.inputs import abstract_inputs, every_case, split
from tests.sharding.losses import mesh_of, program

N_CELLS = 65536


def lowered(case, n_shards):
    """Value and gradient of arrays that lie split over the devices."""
    cells = NamedSharding(mesh_of(n_shards), PartitionSpec("cells"))
    arrays = {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=cells)
        for name, array in abstract_inputs(case, N_CELLS).items()
    }
    return program(case, n_shards).trace(*split(case, arrays))


def bodies(jaxpr):
    """The programs inside of ``shard_map``."""
    for equation in jaxpr.eqns:
        inner = [p for p in equation.params.values() if hasattr(p, "eqns") or hasattr(p, "jaxpr")]
        inner = [getattr(p, "jaxpr", p) for p in inner]
        if equation.primitive.name == "shard_map":
            yield from inner
        else:
            for each in inner:
                yield from bodies(each)


@every_case(quick=("batch_mixing_recommended", "compactness"))
def test_no_array_inside_has_a_row_for_every_cell(case):
    found = {shape for body in bodies(lowered(case, 8).jaxpr.jaxpr) for shape in shapes(body)}
    assert found
    assert not [shape for shape in found if N_CELLS in shape]
    arrays = abstract_inputs(case, N_CELLS // 8)
    widest = max(np.prod(array.shape[1:], dtype=int) for array in arrays.values())
    assert max(np.prod(shape, dtype=int) for shape in found) <= N_CELLS // 8 * max(widest, 256)
