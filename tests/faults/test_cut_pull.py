"""The power goes while annotations are brought in: what stood here before stands, and the next pull brings all of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.helpers.cvat_bench import FOUND, Bench
from tests.simulators.cvat import cvat
from tests.simulators.cvat_world import OLD, World

PULLED = """
import os, signal, sys, threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from annotator_bridge.cvat.login import Login
from annotator_bridge.cvat.pull import pull_task
from annotator_bridge.cvat.session import open_server
from edge.commands.common import reading
from edge.commands.holding import held_store
from edge.store import cvat as store

home, url, token, task_id = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
record, done = store.record_pull, []

def cut(*given):
    done.append(record(*given))
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return done[-1]

store.record_pull = cut
with held_store(home) as writer, open_server(Login(server=url, username="rita", token=token), wait=lambda _: True) as server:
    pull_task(writer, partial(reading, home), server, task_id, actor="cli")
"""


def test_a_pull_that_is_killed_while_it_writes_leaves_what_stood_here(tmp_path: Path) -> None:
    world = World(tmp_path / "server", version=OLD)
    with cvat(world) as server:
        bench = Bench(tmp_path, world, server.url)
        task = bench.send([bench.image() for _ in range(3)], boxes={0: FOUND, 1: FOUND, 2: FOUND}, job_size=1)
        bench.pull(task)
        before = bench.db.execute("SELECT count(*), max(id) FROM cvat_annotations").fetchone()
        for place in range(3):
            task.edit(place, lambda document: document["shapes"].clear())
        words = [str(bench.home), server.url, bench.login.token, str(task.id)]
        ended = subprocess.run([sys.executable, "-c", PULLED, *words], capture_output=True, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        assert bench.db.execute("SELECT count(*), max(id) FROM cvat_annotations").fetchone() == before
        assert {verdict for _, verdict in bench.verdicts(task)} == {"kept"}
        assert bench.pull(task).new == 3
        assert {verdict for _, verdict in bench.verdicts(task)} == {"removed"}
        bench.db.close()
