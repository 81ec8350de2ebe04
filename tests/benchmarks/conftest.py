"""A repository with a slower loss, which both ways of comparing commits must find."""

import pytest

from tests.scratch import commit, copy_repository, replace

# A sum of squares through a sort: several times slower, with an array beside the input.
SLOWER = ("jnp.sum(p * p)", "jnp.sum(jnp.sort(jnp.stack([p * p] * 4), axis=1)) / 4")


@pytest.fixture
def scratch(tmp_path):
    """A repository with two commits that differ in the Simpson concentration alone."""
    copy_repository(tmp_path)
    replace(tmp_path / "diffbio" / "functional" / "diversity.py", *SLOWER)
    commit(tmp_path)
    return tmp_path
