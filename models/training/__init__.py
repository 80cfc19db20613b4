"""Training seen from the appliance: what is asked for, how images are divided, what is recorded, how a result becomes a pack.

What needs torch lies in `models.workshop.train`.
"""
