"""The protocol that all models share."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from flax import nnx
from jaxtyping import Array

__all__ = ["Model"]

State = TypeVar("State")
Metadata = TypeVar("Metadata")


class Model(nnx.Module):
    """A model whose call takes the arrays that ``inputs`` names, and returns named arrays."""

    inputs: ClassVar[tuple[str, ...]]

    def apply(
        self, data: Mapping[str, Any], state: State, metadata: Metadata
    ) -> tuple[dict[str, Array], State, Metadata]:
        """Call the model with its inputs out of ``data``.

        Args:
            data: arrays by name; what is not among the model's ``inputs`` is ignored.
            state: returned as it is.
            metadata: returned as it is.

        Returns:
            The model's results by name, ``state``, ``metadata``.

        Raises:
            ValueError, TypeError: a missing input; shapes, dtypes or labels that the model
                does not accept.
        """
        missing = [name for name in self.inputs if name not in data]
        if missing:
            raise ValueError(
                f"data needs {_listed(missing)} for {type(self).__name__}, got {_listed(data)}"
            )
        return self(*(data[name] for name in self.inputs)), state, metadata

    def __call__(self, *arrays: Any) -> dict[str, Array]:
        """The results by name; every model states its own."""
        raise NotImplementedError


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names)) or "nothing"
