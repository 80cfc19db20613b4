"""Signed models come aboard: what shore signs (`shore`), and how a ship gets, checks and keeps it (the rest); see docs/updates.md.

The trust is TUF's (https://theupdateframework.github.io/specification/latest/): a root that was given to the ship by hand, keys that
can be changed while it is away, versions that never go back, and dates after which nothing new is believed. What is installed goes on
whatever any date says.
"""
