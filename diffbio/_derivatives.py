"""An error that names the loss when a caller asks for a derivative that the loss lacks.

A backward pass that is written by hand serves reverse mode alone. JAX's own error for
everything else names neither the loss nor what to use instead.
"""

from typing import Any, NoReturn

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

__all__ = ["reverse_only"]


def reverse_only(loss: str, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The arrays unchanged, marked as inputs through which ``loss`` has no forward mode.

    The mark compiles to nothing. It sends the tangents through an operation that can be
    transposed, but that raises an error when it is computed. Reverse mode only transposes
    the operation, while forward mode computes it. Forward over reverse mode meets neither
    the mark nor the operation, because reverse mode has removed both by then.
    """
    return tuple(_input_p.bind(array, loss=loss) for array in arrays)


def _raise(*_: Any, loss: str) -> NoReturn:
    raise TypeError(
        f"{loss} has no forward-mode derivative (jax.jvp, jax.jacfwd, jax.linearize); "
        "use jax.grad or jax.vjp, and for second derivatives jax.jvp or jax.jacfwd of "
        "jax.grad, which is jax.hessian"
    )


def _unchanged(operand: Any, *, loss: str) -> Any:
    return operand


def _input_jvp(primals: Any, tangents: Any, *, loss: str) -> tuple[Any, Any]:
    return primals[0], _tangent_p.bind(tangents[0], loss=loss)


_input_p = Primitive("reverse_only")
_input_p.def_impl(_unchanged)
_input_p.def_abstract_eval(_unchanged)
ad.primitive_jvps[_input_p] = _input_jvp
batching.defvectorized(_input_p)
mlir.register_lowering(_input_p, lambda _, operand, *, loss: [operand])

_tangent_p = Primitive("reverse_only_tangent")
_tangent_p.def_impl(_raise)
_tangent_p.def_abstract_eval(_unchanged)
ad.deflinear2(_tangent_p, lambda cotangent, _, *, loss: [cotangent])
ad.primitive_jvps[_tangent_p] = _raise
batching.primitive_batchers[_tangent_p] = _raise
mlir.register_lowering(_tangent_p, _raise)
