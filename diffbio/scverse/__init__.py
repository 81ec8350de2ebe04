"""The losses for AnnData: a table of scores, and a corrected embedding, under scverse's keys.

Needs the extra ``scverse``: anndata, pandas, scipy, and what training needs.
"""

from diffbio.scverse._correct import correct_batches
from diffbio.scverse._score import score

__all__ = ["correct_batches", "score"]
