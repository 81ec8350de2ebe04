"""Losses of cells over the edges to their neighbours: how the pieces fit.

A loss over neighbours is a function of the squared distances of each cell's edges and of a few
numbers of the cell: ``L_i = cell_loss(|x_j - x_i|^2 for j in N_k(i), T_i, labels)``. The formula
of a cell stands with its loss, in ``_mixing/cell.py`` and ``transition.py``. What follows here
is the same for all of them.

1. ``neighborhood`` gives every cell its neighbours, searched for or listed by the caller, and
   says which of them carry weight.
2. ``units`` gives the power of 2 that differences are divided by, so that no square leaves the
   range of floats.
3. ``losses.edge_losses`` is the loss of every cell, with a derivative of its own. Autodiff would
   keep the difference ``x_j - x_i`` of every edge, ``(n_cells, n_neighbors, dim)`` numbers.
   The forward pass keeps the derivative by each squared distance instead, one number an edge.
   The backward pass computes the differences again, and multiplies them by these numbers.
4. ``terms`` says what an edge adds to the products of the forward pass, and what follows for
   the backward pass.
5. Where the cells lie on one device, ``blocks`` makes both passes over blocks of cells, so that
   the differences of one block are in memory at a time. A block suits the cache of a CPU, or is
   large for an accelerator: ``_platform.by_platform`` has both programs made, and the one for
   the device is compiled. The backward pass on a CPU takes one neighbour of each cell of a block
   at a time.
6. Where the cells lie in shards on several devices, ``ring`` makes both passes while the points
   of all shards go round in pieces, and ``visits`` says which edges end in the piece that is
   here. With one shard nothing of it is in the program.
"""
