"""`python -m models.workshop`: make the starter pack."""

from models.workshop.build_starter import main

if __name__ == "__main__":  # processes that render import this file again
    main()
