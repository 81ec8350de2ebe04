"""The losses in JAX as one writes them down: dense distances, ``top_k``, autodiff."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from benchmarks.schema.suite import (
    MIXING_NEIGHBORS,
    RECOMMENDED_NEIGHBORS,
    TRANSITION_NEIGHBORS,
)

__all__ = ["prepare"]


def _nearest(x: Array, n_neighbors: int) -> Array:
    squares = jnp.sum(x * x, axis=1)
    distances = squares[:, None] + squares[None] - 2 * x @ x.T
    distances = distances.at[jnp.arange(len(x)), jnp.arange(len(x))].set(jnp.inf)
    return jax.lax.top_k(-distances, n_neighbors)[1]


def _squared_distances(embeddings: Array, neighbors: Array) -> Array:
    return jnp.sum((embeddings[:, None] - embeddings[neighbors]) ** 2, axis=-1)


def _shares(weights: Array, batch_labels: Array, neighbors: Array) -> Array:
    labels = jax.nn.one_hot(batch_labels[neighbors], 3)
    return jnp.maximum(jnp.einsum("nk,nkb->nb", weights, labels), 1e-30)


def _batch_mixing(embeddings: Array, batch_labels: Array, local: bool = False) -> Array:
    neighbors = _nearest(jax.lax.stop_gradient(embeddings), MIXING_NEIGHBORS)
    distances = _squared_distances(embeddings, neighbors)
    if local:
        distances = distances / distances.mean(axis=1, keepdims=True)
    p = _shares(jax.nn.softmax(-distances, axis=1), batch_labels, neighbors)
    return -jnp.mean(jnp.sum(jax.scipy.special.entr(p), axis=1))


def _batch_mixing_local(embeddings: Array, batch_labels: Array) -> Array:
    return _batch_mixing(embeddings, batch_labels, local=True)


def _entropy(energies: Array) -> Array:
    weights = jax.nn.softmax(-energies, axis=1)
    return jax.nn.logsumexp(-energies, axis=1) + jnp.sum(weights * energies, axis=1)


def _weights_of_perplexity(distances: Array, perplexity: float) -> Array:
    """Bisection as in t-SNE, and one step of Newton's for the gradient."""
    distances = distances / distances.mean(axis=1, keepdims=True)
    fixed, target = jax.lax.stop_gradient(distances), math.log(perplexity)

    def halve(_: Any, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        wide = _entropy(jnp.exp(middle)[:, None] * fixed) > target
        return jnp.where(wide, middle, low), jnp.where(wide, high, middle)

    ends = (jnp.full_like(fixed[:, 0], -10.0), jnp.full_like(fixed[:, 0], 10.0))
    log_inverse = jax.lax.fori_loop(0, 32, halve, ends)[0]
    energies = jnp.exp(log_inverse)[:, None] * fixed
    weights = jax.nn.softmax(-energies, axis=1)
    mean = jnp.sum(weights * energies, axis=1, keepdims=True)
    variance = jnp.sum(weights * (energies - mean) ** 2, axis=1)
    step = (_entropy(jnp.exp(log_inverse)[:, None] * distances) - target) / variance
    return jax.nn.softmax(-jnp.exp(log_inverse + step)[:, None] * distances, axis=1)


def _batch_mixing_recommended(embeddings: Array, batch_labels: Array) -> Array:
    neighbors = _nearest(jax.lax.stop_gradient(embeddings), RECOMMENDED_NEIGHBORS)
    distances = jnp.sqrt(_squared_distances(embeddings, neighbors))
    weights = _weights_of_perplexity(distances, RECOMMENDED_NEIGHBORS / 3)
    p = _shares(weights, batch_labels, neighbors)
    expected = jnp.bincount(batch_labels, length=3) / len(batch_labels)
    return jnp.mean(jnp.sum(p * jnp.log(p / (3 * expected)), axis=1))


def _compactness(embeddings: Array, assignments: Array) -> Array:
    sizes = assignments.sum(axis=0)
    centroids = (assignments.T @ embeddings) / sizes[:, None]
    distances = jnp.sum((embeddings[:, None] - centroids[None]) ** 2, axis=-1)
    intra = jnp.mean(jnp.sum(assignments * distances, axis=1))
    gaps = jnp.sqrt(jnp.sum((centroids[:, None] - centroids[None]) ** 2, axis=-1) + 1e-12)
    k = len(centroids)
    hinge = jnp.maximum(1.0 - gaps, 0) * (1 - jnp.eye(k))
    return intra + hinge.sum() / (k * (k - 1))


def _velocity(expression: Array, velocity: Array, future_expression: Array) -> Array:
    predicted, observed = 0.1 * velocity, future_expression - expression
    p, a = jnp.linalg.norm(predicted, axis=1), jnp.linalg.norm(observed, axis=1)
    cosine = jnp.sum(predicted * observed, axis=1) / (p * a)
    return jnp.mean(1 - cosine) + jnp.mean((p - a) ** 2)


def _velocity_transition(expression: Array, velocity: Array) -> Array:
    neighbors = _nearest(jax.lax.stop_gradient(expression), TRANSITION_NEIGHBORS)
    changes = expression[neighbors] - expression[:, None]
    predicted = 0.1 * velocity[:, None]
    norms = jnp.linalg.norm(changes, axis=-1) * jnp.linalg.norm(predicted, axis=-1)
    transitions = jax.nn.softmax(jnp.sum(changes * predicted, axis=-1) / norms / 0.1, axis=1)
    return jnp.mean(jnp.sum(transitions * jnp.sum((changes - predicted) ** 2, axis=-1), axis=1))


def _shannon(assignments: Array) -> Array:
    return jnp.mean(jnp.sum(-assignments * jnp.log(jnp.maximum(assignments, 1e-30)), axis=1))


def _simpson(assignments: Array) -> Array:
    return jnp.mean(jnp.sum(assignments**2, axis=1))


_LOSSES: Mapping[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "batch_mixing_recommended": (_batch_mixing_recommended, (0,)),
    "batch_mixing": (_batch_mixing, (0,)),
    "batch_mixing_local": (_batch_mixing_local, (0,)),
    "compactness": (_compactness, (0, 1)),
    "velocity": (_velocity, (0, 1, 2)),
    "velocity_transition": (_velocity_transition, (0, 1)),
    "shannon": (_shannon, (0,)),
    "simpson": (_simpson, (0,)),
}


def prepare(loss: str, transform: str, arrays: Mapping[str, Any]) -> Callable[[], Any]:
    """The compiled program, as a call without arguments."""
    function, differentiable = _LOSSES[loss]
    if transform == "value_and_grad":
        function = jax.value_and_grad(function, argnums=differentiable)
    on_device = [jnp.asarray(array) for array in arrays.values()]
    compiled = jax.jit(function).lower(*on_device).compile()
    return lambda: compiled(*on_device)
