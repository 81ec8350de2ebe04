"""Data sets that are fetched once: a test without network and cache is skipped, and says so."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from diffbio.datasets import OfflineError

__all__ = ["real_or_skip"]

T = TypeVar("T")


def real_or_skip(load: Callable[[], T]) -> T:
    """What ``load`` returns; every error but the want of a network fails the test."""
    pytest.importorskip("scanpy", reason="needs the extra: data")
    try:
        return load()
    except OfflineError as error:
        pytest.skip(str(error))
