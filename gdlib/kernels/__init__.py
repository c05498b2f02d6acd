"""Functions that the models use, written for a processor: equal to their plain form to rounding, gradient included.

Each is a formula that stands elsewhere in a line: here it is what runs fast. `jax.lax.platform_dependent` chooses by
the platform that a program is lowered for.
"""
