"""The optimised HLO of a compiled program, read: its instructions, its work, what it sends."""
