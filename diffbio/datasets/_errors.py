"""What goes wrong when real cells are fetched."""

__all__ = ["DataError", "OfflineError"]


class DataError(RuntimeError):
    """A data set cannot be had; the message says what is missing and where it would be kept.

    Example:
        >>> issubclass(OfflineError, DataError)
        True
    """


class OfflineError(DataError):
    """A data set is not in the cache, and a package index cannot be reached.

    Example:
        >>> from diffbio.datasets import starmap
        >>> try:
        ...     n_cells = starmap().n_cells
        ... except OfflineError:
        ...     n_cells = 0
    """
