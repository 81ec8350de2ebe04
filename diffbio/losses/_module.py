"""What the modules of the losses have in common."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any, TypeVar

import jax
from flax import nnx

from diffbio import _checks
from diffbio._arrays import within_range
from diffbio._types import AnyArray
from diffbio.functional._settings import Settings

__all__ = ["Loss", "shows_options"]

Constructor = TypeVar("Constructor", bound=Callable[..., None])


def shows_options(settings: type[Settings]) -> Callable[[Constructor], Constructor]:
    """The constructor, whose signature has the options of the settings for ``**options``."""

    def with_signature(constructor: Constructor) -> Constructor:
        own = inspect.signature(constructor).parameters
        further = [
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=option.type,
            )
            for option in fields(settings)  # type: ignore[arg-type]
            if option.name not in own
        ]
        kept = [p for p in own.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        signature = inspect.Signature([*kept, *further])
        constructor.__signature__ = signature  # type: ignore[attr-defined]
        return constructor

    return with_signature


class Loss(nnx.Module):
    """A module whose numbers may be assigned, arrays too, which NNX then takes for data."""

    def __setattr__(self, name: str, value: Any) -> None:
        own = vars(self)
        if name not in own and hasattr(own.get("settings"), name):
            raise AttributeError(
                f"{name} is a setting, which a module keeps; make another module with "
                f"{name}={value!r}"
            )
        if any(isinstance(leaf, AnyArray) for leaf in jax.tree.leaves(value)):
            value = nnx.data(jax.tree.map(partial(_array, name), value))
        super().__setattr__(name, value)


def _array(name: str, leaf: Any) -> Any:
    return within_range(name, _checks.as_array(name, leaf)) if isinstance(leaf, AnyArray) else leaf
