"""RNA velocity from spliced and unspliced counts."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from diffbio import _checks
from diffbio._types import AnyArray, Scalar, StaticInteger
from diffbio.models._model import Model

__all__ = ["VelocityModel"]


class VelocityModel(Model):
    r"""Velocity of spliced RNA, with a splicing and a degradation rate per gene.

    Models linear kinetics of splicing, after La Manno et al., RNA velocity of single cells,
    Nature 560, 2018.

    .. math:: v = \beta u - \gamma s

    The logarithms of the rates are the parameters, so that rates stay positive. All rates
    are 1 at first; :meth:`fit_steady_state` starts from the data instead.

    Args:
        n_genes: number of genes.
        rngs: ignored, nothing here is random.

    Raises:
        ValueError, TypeError: ``n_genes`` is no integer of at least 1.

    Example:
        >>> import jax.numpy as jnp
        >>> model = VelocityModel(3)
        >>> data = {"spliced": jnp.ones((4, 3)), "unspliced": jnp.full((4, 3), 3.0)}
        >>> result, _, _ = model.apply(data, {}, None)
        >>> float(result["velocity"][0, 0])
        2.0
    """

    inputs = ("spliced", "unspliced")

    def __init__(self, n_genes: StaticInteger, *, rngs: nnx.Rngs | None = None) -> None:
        self.n_genes = _checks.positive_integer("n_genes", n_genes)
        self.log_splicing = nnx.Param(jnp.zeros(self.n_genes, jnp.float32))
        self.log_degradation = nnx.Param(jnp.zeros(self.n_genes, jnp.float32))

    def __call__(
        self,
        spliced: Float[AnyArray, "n_cells n_genes"],
        unspliced: Float[AnyArray, "n_cells n_genes"],
    ) -> dict[str, Array]:
        """The velocity of every gene in every cell.

        Args:
            spliced: ``(n_cells, n_genes)`` s, in any linear unit, such as smoothed counts.
            unspliced: ``(n_cells, n_genes)`` u, in the same unit.

        Returns:
            ``velocity``, ``(n_cells, n_genes)``, in that unit per unit of time.
        """
        s, u = self._checked(spliced, unspliced)
        splicing, degradation = jnp.exp(self.log_splicing[...]), jnp.exp(self.log_degradation[...])
        return {"velocity": splicing * u - degradation * s}

    def fit_steady_state(
        self,
        spliced: Float[AnyArray, "n_cells n_genes"],
        unspliced: Float[AnyArray, "n_cells n_genes"],
        *,
        share: Scalar = 0.05,
    ) -> None:
        r"""Set each gene's rates to :math:`\beta = 1` and its ratio in the steady state.

        There the velocity is 0, :math:`u = \gamma s`. The ratio is the least-squares slope
        through the origin over the cells with the least and with the most of the gene,
        which are taken to be in a steady state. A gene without a positive slope gets the
        smallest ratio of the others, or 1.

        Args:
            spliced: ``(n_cells, n_genes)``, concrete.
            unspliced: ``(n_cells, n_genes)``, concrete.
            share: share of the cells at either end, in ``(0, 0.5]``.

        Raises:
            ValueError: shapes that disagree, or an impossible share.
            TypeError: non-floating input.
        """
        s, u = (np.asarray(array, np.float64) for array in self._checked(spliced, unspliced))
        _checks.positive("share", share)
        if share > 0.5:
            raise ValueError(f"share must be at most 0.5, got {share}")
        amount = s / np.maximum(s.max(axis=0), 1e-12) + u / np.maximum(u.max(axis=0), 1e-12)
        low, high = np.quantile(amount, [share, 1 - share], axis=0)
        extreme = (amount <= low) | (amount >= high)
        slopes = np.sum(extreme * u * s, axis=0) / np.maximum(np.sum(extreme * s**2, axis=0), 1e-12)
        known = slopes > 0
        ratios = np.where(known, slopes, slopes[known].min() if known.any() else 1.0)
        self.log_splicing[...] = jnp.zeros(self.n_genes, jnp.float32)
        self.log_degradation[...] = jnp.asarray(np.log(ratios), jnp.float32)

    def _checked(self, spliced: object, unspliced: object) -> tuple[Array, Array]:
        named = {
            name: _checks.floating(name, value, ("n_cells", "n_genes"))
            for name, value in {"spliced": spliced, "unspliced": unspliced}.items()
        }
        for name, array in named.items():
            _checks.columns(name, array, "n_genes", self.n_genes)
        _checks.same_axis("n_cells", {name: (array, 0) for name, array in named.items()})
        return named["spliced"], named["unspliced"]
