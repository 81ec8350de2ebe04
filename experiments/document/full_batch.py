"""Full-batch training of one small model under several settings at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import optax

__all__ = ["trained"]


@partial(jax.jit, static_argnames=("objective", "rate", "n_steps"))
def trained(
    objective: Callable[..., jax.Array],
    start: Any,
    settings: jax.Array,
    *fixed: Any,
    rate: float,
    n_steps: int,
) -> Any:
    """Parameters that Adam reaches from the same start under each setting.

    :func:`diffbio.training.fit` compiles its step for every model; this compiles once for all
    settings and, where shapes are the same, for all seeds.

    Args:
        objective: ``objective(parameters, setting, *fixed) -> scalar`` to minimise; static, so
            that it is defined once in its module.
        start: parameters, any tree of arrays.
        settings: ``(n_settings, ...)``, one row per training.
        fixed: whatever else the objective needs.
        rate: Adam's learning rate.
        n_steps: number of updates.

    Returns:
        The tree of ``start`` with a leading axis of settings.
    """
    adam = optax.adam(rate)

    def end(setting: jax.Array) -> Any:
        def step(state: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
            parameters, moments = state
            gradient = jax.grad(objective)(parameters, setting, *fixed)
            updates, moments = adam.update(gradient, moments)
            return (optax.apply_updates(parameters, updates), moments), None

        (parameters, _), _ = jax.lax.scan(step, (start, adam.init(start)), length=n_steps)
        return parameters

    return jax.vmap(end)(settings)
