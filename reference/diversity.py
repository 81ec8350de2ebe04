r"""Diversity of assignments.

    Shannon: sum_k -p ln p,  derivative -(ln p + 1), both 0 at p = 0
    Simpson: sum_k p^2,      derivative 2 p

over="cells" averages the index of every cell; over="clusters" takes the index of the
mean assignment, whose derivative reaches every cell with weight 1/N.
"""

import numpy as np


def shannon_diversity(assignments, **options):
    """Shannon entropy in nats."""
    return _value(_entropy_terms, assignments, **options)


def shannon_gradients(assignments, **options):
    """Gradient with respect to the assignments."""
    return _gradients(_entropy_slopes, assignments, **options)


def simpson_diversity(assignments, **options):
    """Simpson concentration."""
    return _value(np.square, assignments, **options)


def simpson_gradients(assignments, **options):
    """Gradient with respect to the assignments."""
    return _gradients(lambda p: 2 * p, assignments, **options)


def _value(terms, assignments, *, over="cells", where=None):
    p = np.asarray(assignments, dtype=np.float64)
    p = p if where is None else p[np.asarray(where)]
    if len(p) == 0:
        return 0.0
    if over == "clusters":
        return terms(p.mean(axis=0)).sum()
    return terms(p).sum(axis=1).mean()


def _gradients(slopes, assignments, *, over="cells", where=None):
    p = np.asarray(assignments, dtype=np.float64)
    counted = np.ones(len(p), bool) if where is None else np.asarray(where)
    gradient = np.zeros_like(p)
    if counted.any():
        at = p[counted].mean(axis=0) if over == "clusters" else p[counted]
        gradient[counted] = slopes(at) / counted.sum()
    return {"assignments": gradient}


def _entropy_terms(p):
    return -p * np.log(np.where(p == 0, 1, p))


def _entropy_slopes(p):
    return np.where(p == 0, 0, -(np.log(np.where(p == 0, 1, p)) + 1))
