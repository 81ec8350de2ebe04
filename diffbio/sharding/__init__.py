"""Losses of cells that lie in shards on the devices of a mesh.

Inside of ``jax.shard_map`` with its default checks, every loss accepts ``axis_name``, the name
of a mesh's axis. The cells of all devices along it then count as if they lay on one.
:func:`sharded` makes the ``shard_map`` around a loss, which is then called as on one device.
"""

from diffbio.sharding._sharded import sharded

__all__ = ["sharded"]
