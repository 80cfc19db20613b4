"""What the benchmarks measure with must itself be right."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.ingest.looks import look_at_folder
from edge.store import files
from edge.store.connection import DATABASE_NAME, migrate, open_reader, open_writer
from tests.benchmarks.cost import percentile, run_command
from tests.benchmarks.idle import make_known_files
from tests.benchmarks.stills import with_comment
from tests.helpers.pieces import finish

BURN_IN_GRANDCHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.6: pass"], check=True)
"""


def test_cost_of_a_command_counts_its_children() -> None:
    assert run_command([sys.executable, "-c", BURN_IN_GRANDCHILD]).cpu_s >= 0.6


def test_a_command_that_fails_is_not_a_measurement() -> None:
    with pytest.raises(RuntimeError, match="ended with 3: gone wrong"):
        run_command([sys.executable, "-c", "import sys; sys.stderr.write('gone wrong'); sys.exit(3)"])


@pytest.mark.parametrize(("share", "expected"), [(0.05, 1), (0.5, 10), (0.95, 19), (1.0, 20)])
def test_percentile_is_nearest_rank(share: float, expected: int) -> None:
    assert percentile(range(1, 21), share) == expected


def test_a_comment_makes_another_content_and_the_same_picture(rendered_tow: list[Path]) -> None:
    jpeg = rendered_tow[0].read_bytes()
    first, second = with_comment(jpeg, "one"), with_comment(jpeg, "two")
    assert len({jpeg, first, second}) == 3
    pixels = [np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).tobytes() for data in (jpeg, first, second)]
    assert len(pixels[0]) > 1_000_000
    assert pixels[0] == pixels[1] == pixels[2]


def test_known_files_are_known_to_the_inventory(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / DATABASE_NAME)
    migrate(connection)
    connection.close()
    make_known_files(tmp_path, 620)
    reader = open_reader(tmp_path / DATABASE_NAME)
    (root,) = files.list_roots(reader)
    folders = files.known_folders(reader, root.root_id)
    assert len(folders) == math.ceil(620 / 500)
    for folder, folder_id in folders.items():
        known = files.known_files(reader, folder_id)
        for look in finish(look_at_folder(root.path_bytes + b"/" + folder, frozenset((b".jpg",)))).files:
            row = known.pop(look.name_bytes)
            assert (row.size_bytes, row.mtime_ns, row.inode, row.state) == (look.size_bytes, look.mtime_ns, look.inode, "done")
        assert known == {}
    reader.close()
