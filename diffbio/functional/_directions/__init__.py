"""How the direction and length of two vectors per cell differ."""
