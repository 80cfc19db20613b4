"""The tow: openings found frame by frame become unique ones, systems and a count. Numbers only: no pixels, no files, no database.

tracks      what a tracker returns, and what any tracker must keep to
tracker     the seabed tracker: every opening is followed where the seabed moved, not where a constant speed would take it
systems     which openings belong to one burrow, proposed
count       the line rule: openings and systems by minute, with their uncertainty
compare     a model's counts beside those of people
"""
