"""Start of the frozen appliance. A spawned worker is this same program, so it leaves here before the command line loads."""

from __future__ import annotations

import multiprocessing


def main() -> None:
    """Be a worker if started as one, else the command line."""
    multiprocessing.freeze_support()
    from edge.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
