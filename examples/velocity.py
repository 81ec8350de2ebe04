"""Learn RNA velocity from real cells and their later neighbours."""

import jax.numpy as jnp
import numpy as np
from common import arguments, panels, principal_axes, scatter, write
from flax import nnx

from diffbio.datasets import dentate_gyrus
from diffbio.losses import VelocityConsistencyLoss
from diffbio.models import VelocityModel
from diffbio.training import fit

options = arguments(__doc__)
cells = dentate_gyrus()
data = {
    "spliced": cells.spliced,
    "unspliced": cells.unspliced,
    "future_spliced": cells.future_expression,
}
velocity_loss = VelocityConsistencyLoss(dt=cells.dt)


def objective(result, batch, where):
    return velocity_loss(batch["spliced"], result["velocity"], batch["future_spliced"], where=where)


def measure(when: str, velocity: np.ndarray) -> None:
    def cosine(other: np.ndarray) -> float:
        norms = np.linalg.norm(velocity, axis=1) * np.linalg.norm(other, axis=1)
        counted = norms > 0
        return np.mean(np.sum(velocity * other, axis=1)[counted] / norms[counted])

    loss = velocity_loss(cells.spliced, jnp.asarray(velocity), cells.future_expression)
    print(f"  {when:12s}  loss {loss:.3f}, mean cosine with the change to the later neighbours "
          f"{cosine(cells.future_expression - cells.spliced):+.3f}, "
          f"with scVelo's velocity {cosine(cells.velocity):+.3f}")  # fmt: skip


model = VelocityModel(cells.spliced.shape[1], rngs=nnx.Rngs(0))
model.fit_steady_state(cells.spliced, cells.unspliced)
before = np.asarray(model.apply(data, {}, None)[0]["velocity"])
history = fit(model, data, objective, n_steps=options.n_steps, learning_rate=1e-2)
after = np.asarray(model.apply(data, {}, None)[0]["velocity"])

print(f"{options.n_steps} steps in {history.seconds:.1f} s")
measure("steady state", before)
measure("trained", after)
measure("scVelo", cells.velocity)

figure, axes = panels(1, 3)
plane = principal_axes(cells.spliced)
places = cells.spliced @ plane
named = {"steady state": before, "trained": after, "scVelo, for comparison": cells.velocity}
for column, (title, velocity) in enumerate(named.items()):
    scatter(axes[0, column], places, cells.cluster_labels, title, size=30)
    arrows = velocity @ plane
    arrows /= np.quantile(np.linalg.norm(arrows, axis=1), 0.95)
    axes[0, column].quiver(*places.T, *arrows.T, scale=12, width=0.003, alpha=0.6)
write(figure, options.output, "velocity.png")
