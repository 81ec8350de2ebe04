"""The code of the README, the site and the document runs, and importing stays light."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from anndata import AnnData

from diffbio.datasets import simulate_clusters
from tests.tiers import slow_unless

pytestmark = pytest.mark.usefixtures("compiled_quickly")

ROOT = Path(__file__).resolve().parents[1]


def blocks_of(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


BLOCKS = blocks_of(ROOT / "README.md")
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if blocks_of(page)]
FOR_PYTORCH = [block for block in BLOCKS if "import torch\n" in block]


@pytest.mark.slow
def test_the_readme_s_code_runs_in_order():
    assert len(BLOCKS) >= 2
    namespace: dict = {"adata": an_object_of_a_user()}
    for block in BLOCKS:
        if block not in FOR_PYTORCH:
            exec(compile(block, "README.md", "exec"), namespace)
    assert np.isfinite(namespace["value"])
    assert namespace["gradient"].shape == namespace["embeddings"].shape
    assert namespace["adata"].obsm["X_diffbio"].shape == (60, 5)
    assert len(namespace["scores"]) == 8


def an_object_of_a_user():
    cells = simulate_clusters(60, n_clusters=2, n_batches=2, n_genes=20, n_components=5)
    obs = {"batch": cells.batch_labels.astype(str), "cell_type": cells.cluster_labels.astype(str)}
    return AnnData(obs=obs, obsm={"X_pca": cells.embeddings})


def test_the_readme_s_code_for_pytorch_runs():
    pytest.importorskip("torch")
    (block,) = FOR_PYTORCH
    namespace: dict = {}
    exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["z"].grad.isfinite().all()


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=p.stem, marks=slow_unless(p.stem == "neighbors")) for p in PAGES],
)
def test_a_pages_code_runs_in_order(page):
    namespace: dict = {}
    for block in blocks_of(page):
        shorter = block.replace("n_steps=400", "n_steps=4")
        exec(compile(shorter, page.name, "exec"), namespace)
    if page.stem == "training":
        assert np.isfinite(namespace["history"].losses).all()


USAGE = {
    "batch mixing": """
from diffbio.losses.singlecell_losses import BatchMixingLoss
batch_loss = BatchMixingLoss(n_neighbors=15, n_batches=3, temperature=1.0)
loss = batch_loss(cell_embeddings, batch_labels)
""",
    "compactness": """
from diffbio.losses.singlecell_losses import ClusteringCompactnessLoss
cluster_loss = ClusteringCompactnessLoss(separation_weight=1.0, min_separation=1.0)
loss = cluster_loss(cell_embeddings, assignments)
""",
    "velocity": """
from diffbio.losses.singlecell_losses import VelocityConsistencyLoss
velocity_loss = VelocityConsistencyLoss(dt=0.1, cosine_weight=1.0, magnitude_weight=1.0)
loss = velocity_loss(expression, velocity_vectors, future_expression)
""",
    "Shannon": """
from diffbio.losses.singlecell_losses import ShannonDiversityLoss
diversity_loss = ShannonDiversityLoss()
loss = diversity_loss(jax.nn.softmax(logits, axis=-1))
assert 0 <= loss <= jnp.log(logits.shape[1])
""",
    "Simpson": """
from diffbio.losses.singlecell_losses import SimpsonDiversityLoss
simpson_loss = SimpsonDiversityLoss()
loss = simpson_loss(jax.nn.softmax(logits, axis=-1))
assert 1 / logits.shape[1] <= loss <= 1.0
""",
}


@pytest.mark.parametrize("name", USAGE)
def test_the_documents_usage_runs(name):
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(40, 5)))
    x, v, f = jnp.asarray(rng.normal(size=(3, 40, 6)))
    namespace = {
        "jax": jax,
        "jnp": jnp,
        "logits": logits,
        "assignments": jax.nn.softmax(logits),
        "cell_embeddings": x,
        "batch_labels": jnp.arange(40) % 3,
        "expression": x,
        "velocity_vectors": v,
        "future_expression": f,
    }
    exec(USAGE[name], namespace)
    assert np.isfinite(namespace["loss"])


def test_the_losses_import_the_core_dependencies_alone():
    code = (
        "import sys, diffbio.losses; heavy = {'scanpy', 'pandas', 'matplotlib', 'scipy.stats',"
        " 'sklearn'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_reference_imports_numpy_alone():
    code = (
        "import sys, reference.combined, reference.velocity, reference.transition,"
        " reference.diversity, reference.finite_difference;"
        " assert not {'jax', 'flax', 'diffbio', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
