"""Start of `imagine-edge`. A spawned worker runs this module's top again, so the command line is loaded inside `main`."""

from __future__ import annotations


def main() -> None:
    """The command line."""
    from edge.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
