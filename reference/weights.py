r"""The weights of one cell's neighbours, and how derivatives pass through them.

With the squared distances d2 and a temperature:

    a number T:  w = softmax(-d2 / T)
    local:       w = softmax(-d2 / (T m)),    T its scale, m = mean(d2)
    perplexity:  w = softmax(-b d),           d = sqrt(d2), b such that entropy(w) = ln P

Derivatives of a loss with slopes s = dloss / dw. Averages <.> and Cov are those of w:

    a number T:  dloss / dd2 = -w (s - <s>) / T
    local:       with a = -w (s - <s>) and e = d2 / m:
                 dloss / dd2 = (a - mean(e a)) / (T m)
    perplexity:  the entropy stays. Of a change of d, w sees what is left of it after a
                 regression on d with the weights w: no shift and no multiple of d. The
                 regression is its own transpose, so
                 dloss / dd = -b w ((s - <s>) - (d - <d>) Cov(s, d) / Var(d))
                 dloss / dd2 = dloss/dd / 2d,   0 where d = 0
"""

import numpy as np

# Distances this near to the smallest, relative to it, are equal to it.
TIED = 8 * np.finfo(np.float64).eps


def fixed_weights(squares, temperature):
    """Weights, and the map of the slopes by them to the slopes by the squared distances."""
    weights = softmax(-squares / temperature)
    return weights, lambda slopes: -weights * (slopes - weights @ slopes) / temperature


def local_weights(squares, temperature):
    """As ``fixed_weights``, in units of the mean squared distance."""
    mean = squares.mean() if squares.any() else np.inf
    energies = squares / mean
    weights, pull_back = fixed_weights(energies, temperature)

    def pull_back_to_squares(slopes):
        by_energy = pull_back(slopes)
        return (by_energy - (energies * by_energy).mean()) / mean

    return weights, pull_back_to_squares


def perplexity_weights(squares, perplexity):
    """As ``fixed_weights``; uniform without slopes where no b gives the perplexity.

    That is where too few neighbours are there, or too many are nearest alike.
    """
    d = np.sqrt(squares)
    nearest = d - d.min() <= TIED * d.min()
    if nearest.sum() >= perplexity or len(d) <= perplexity:
        alike = nearest if nearest.sum() >= perplexity else np.ones(len(d), bool)
        return alike / alike.sum(), lambda slopes: np.zeros(len(d))
    excess = d - d.min()
    b = inverse_temperature(excess, perplexity)
    weights = softmax(-b * excess)

    def pull_back(slopes):
        rest, centered = slopes - weights @ slopes, excess - weights @ excess
        rest -= centered * (weights @ (rest * centered)) / (weights @ centered**2)
        by_distance = -b * weights * rest
        return np.where(d == 0, 0, by_distance / np.where(d == 0, 1, 2 * d))

    return weights, pull_back


def inverse_temperature(excess, perplexity):
    """The b whose weights have the entropy ln P: bisection, until Newton's steps are safe.

    The slope of the entropy by ln b is the variance of ``b excess``, negated.
    """
    low, high = -np.inf, np.inf
    t = -np.log(excess.mean())
    for _ in range(500):
        energies = np.exp(t) * excess
        weights = softmax(-energies)
        surplus = entropy(weights) - np.log(perplexity)
        low, high = (t, high) if surplus > 0 else (low, t)
        variance = weights @ (energies - weights @ energies) ** 2
        step = np.clip(surplus / max(variance, 1e-300), -3, 3)
        if abs(step) < 1e-15 * max(abs(t), 1) or surplus == 0:
            break
        t = t + step if low < t + step < high else (low + high) / 2
    return np.exp(t)


def softmax(logits):
    """Weights in proportion to the exponentials."""
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def entropy(weights):
    """In nats."""
    present = weights[weights > 0]
    return -present @ np.log(present)


def weights_of_cell(temperature, cell, squares):
    """The weights of a cell's neighbours, and the map of slopes by them to the squares'.

    The temperature is a number, or an object with a ``scale`` or a ``perplexity``, which may
    be None for a third of the neighbours, or have an entry for every cell.
    """
    if hasattr(temperature, "scale"):
        return local_weights(squares, float(temperature.scale))
    if not hasattr(temperature, "perplexity"):
        return fixed_weights(squares, temperature)
    perplexity = temperature.perplexity
    if perplexity is None:
        perplexity = len(squares) / 3
    elif np.ndim(perplexity):
        perplexity = perplexity[cell]
    return perplexity_weights(squares, float(perplexity))
