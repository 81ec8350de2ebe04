import jax
from hypothesis import settings

jax.config.update("jax_enable_x64", True)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("repeatable")
