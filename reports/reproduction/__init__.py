"""A published report measured again: does it agree with the published one?"""
