"""The NumPy references of the losses: float64, written to be read, value and gradient.

They import NumPy alone and share no code with ``diffbio``. Each ``*_gradients``
function returns the hand-derived partial derivatives by argument name.
"""
