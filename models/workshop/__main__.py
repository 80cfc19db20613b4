"""`python -m models.workshop`: make the starter pack."""

from models.workshop.build_starter import main

main()
