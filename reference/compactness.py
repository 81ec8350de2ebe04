r"""Clustering compactness, cluster by cluster.

With s_k = sum_i a_ik, c_k = sum_i a_ik x_i / s_k and h the mean over the P ordered pairs
of live clusters (s_k not below the smallest total) of max(0, m - |c_k - c_l|):

    L = (1/N) sum_ik a_ik |x_i - c_k|^2 + lambda h

    dL/dc_k  (through h)        g_k = -(2 lambda / P) sum_l [|c_k - c_l| < m] (c_k - c_l)^
    dL/dc_k  (through scatter)  (2/N) sum_i a_ik (c_k - x_i),  which is 0 at the mean
    dL/dx_i  = (2/N) sum_k a_ik (x_i - c_k) + sum_k (a_ik / s_k) g_k
    dL/da_ik = (1/N) |x_i - c_k|^2 + (x_i - c_k) . g_k / s_k
"""

import numpy as np

from reference.counting import n_counted

# A cluster with a smaller total counts as empty. For numbers that were rounded to another
# dtype, pass that dtype's tiny / eps as ``smallest_total``.
SMALLEST_TOTAL = np.finfo(np.float64).tiny / np.finfo(np.float64).eps


def clustering_compactness_loss(
    embeddings,
    assignments,
    centroids=None,
    *,
    separation_weight=1.0,
    min_separation=1.0,
    where=None,
    smallest_total=SMALLEST_TOTAL,
):
    """The loss; see the module's formula."""
    x, a = _counted(embeddings, assignments, where)
    n_cells = n_counted(x, where)
    c, alive = _centroids(x, a, centroids, smallest_total)
    scatter = sum(
        (a[:, k] * (_from_centroid(x, c, k) ** 2).sum(axis=1)).sum() for k in np.flatnonzero(alive)
    )
    hinge, _ = _hinge(c, alive, min_separation)
    return scatter / n_cells + separation_weight * hinge


def clustering_compactness_gradients(
    embeddings,
    assignments,
    centroids=None,
    *,
    separation_weight=1.0,
    min_separation=1.0,
    where=None,
    smallest_total=SMALLEST_TOTAL,
):
    """Gradients with respect to embeddings, assignments and, if given, centroids."""
    x, a = _counted(embeddings, assignments, where)
    n_cells = n_counted(x, where)
    c, alive = _centroids(x, a, centroids, smallest_total)
    _, by_hinge = _hinge(c, alive, min_separation)
    by_hinge = separation_weight * by_hinge
    by_x, by_a, by_c = np.zeros_like(x), np.zeros_like(a), by_hinge.copy()
    for k in np.flatnonzero(alive):
        from_centroid = _from_centroid(x, c, k)
        by_x += 2 / n_cells * a[:, [k]] * from_centroid
        by_a[:, k] += (from_centroid**2).sum(axis=1) / n_cells
        if centroids is None:
            pull = by_hinge[k] / a[:, k].sum()
            by_x += a[:, [k]] * pull
            by_a[:, k] += from_centroid @ pull
        else:
            by_c[k] -= 2 / n_cells * (a[:, [k]] * from_centroid).sum(axis=0)
    if where is not None:
        by_x[~np.asarray(where)] = 0
        by_a[~np.asarray(where)] = 0
    gradients = {"embeddings": by_x, "assignments": by_a}
    return gradients if centroids is None else {**gradients, "centroids": by_c}


def _counted(x, a, where):
    """The arrays, with masked cells at the first unmasked cell's place and without weight."""
    x, a = np.array(x, dtype=np.float64), np.array(a, dtype=np.float64)
    if where is None:
        return x, a
    where = np.asarray(where)
    a[~where] = 0
    x[~where] = x[where][0] if where.any() else 0
    return x, a


def _centroids(x, a, centroids, smallest_total):
    """Two parts that add up to the centroids, and which are live.

    A mean is its heaviest cell and a shift from there. Differences from it then keep their
    digits however tight the cluster and however far away another cell.
    """
    if centroids is not None:
        c = np.asarray(centroids, dtype=np.float64)
        return (c, np.zeros_like(c)), np.ones(len(c), bool)
    sizes = a.sum(axis=0)
    alive = np.abs(sizes) >= smallest_total
    heaviest, shifts = (np.zeros((a.shape[1], x.shape[1])) for _ in range(2))
    for k in np.flatnonzero(alive):
        heaviest[k] = x[np.argmax(a[:, k])]
        shifts[k] = (a[:, [k]] * (x - heaviest[k])).sum(axis=0) / sizes[k]
    return (heaviest, shifts), alive


def _from_centroid(points, centroids, k):
    heaviest, shifts = centroids
    return (points - heaviest[k]) - shifts[k]


def _hinge(c, alive, margin):
    """Mean shortfall over ordered pairs of live clusters and its gradient by centroid."""
    live = np.flatnonzero(alive)
    n_pairs = len(live) * (len(live) - 1)
    total, gradient = 0.0, np.zeros_like(c[0])
    for k in live:
        for other in live:
            difference = (c[0][k] - c[0][other]) + (c[1][k] - c[1][other])
            distance = np.sqrt((difference**2).sum())
            if k == other or distance >= margin:
                continue
            total += margin - distance
            if distance > 0:
                gradient[k] -= 2 * difference / distance
    return total / max(n_pairs, 1), gradient / max(n_pairs, 1)
