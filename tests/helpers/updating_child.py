"""A process that fetches, proves and installs a model, and is killed by whoever started it.

Usage: python updating_child.py HOME SOURCE NAME VERSION
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge.pipeline.keeper import ModelKeeper
from edge.store.lock import HomeLock
from edge.store.open import open_store
from sync.updates.client import Aboard, bring, install


def main(home: Path, source: str, name: str, version: str) -> None:
    """As `imagine-edge sync install` does, without what a whole appliance needs besides."""
    lock = HomeLock(home)
    lock.acquire()
    writer = open_store(home, on_commit=lambda: None)
    keeper = ModelKeeper(home, writer)
    aboard = Aboard(home=home, writer=writer, source=source)
    install(aboard, bring(aboard, name, version), keeper, actor="child")
    writer.close()
    lock.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
