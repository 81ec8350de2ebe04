"""How often a comparison of times errs, in simulation."""
