"""Tensors as JAX arrays, and back: the same memory, on the same device."""

from collections.abc import Sequence

import jax
import torch
from jaxtyping import Array

from diffbio._types import AnyArray

__all__ = ["as_array", "as_tensor", "check_tensor", "common_device"]


def check_tensor(name: str, value: object) -> None:
    """Require a dense tensor."""
    if not isinstance(value, torch.Tensor):
        kind = type(value)
        raise TypeError(f"{name} must be a torch.Tensor, got {kind.__module__}.{kind.__qualname__}")
    if value.layout != torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got one of layout {value.layout}")


def common_device(tensors: Sequence[torch.Tensor]) -> jax.Device:
    """JAX's name of the device on which all the tensors lie."""
    places = {str(tensor.device): tensor.device for tensor in tensors}
    if len(places) > 1:
        raise ValueError(f"all tensors must lie on one device, got {' and '.join(sorted(places))}")
    ((name, place),) = places.items()
    try:
        found = jax.local_devices(backend=place.type)
    except RuntimeError:
        found = []
    for device in found:
        if place.index in (None, device.local_hardware_id):
            return device
    raise ValueError(
        f"the tensors lie on {name}, where JAX has no device; move them, or install a jax that "
        "supports it (the extra cuda does for NVIDIA's)"
    )


def as_array(tensor: torch.Tensor) -> AnyArray:
    """The memory of the tensor as an array; of a copy, where XLA could not read it as it lies.

    On a CPU it is NumPy's if NumPy has the dtype: JAX reads that in place too, and sooner.
    """
    tensor = tensor.detach().resolve_neg().contiguous()
    if tensor.is_cpu and tensor.dtype != torch.bfloat16:
        return tensor.numpy()
    return jax.dlpack.from_dlpack(tensor)


def as_tensor(array: Array) -> torch.Tensor:
    """The memory of the array as a tensor."""
    return torch.from_dlpack(array.__dlpack__())
