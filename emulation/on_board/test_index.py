"""The index on this board: durable when acknowledged, shared by threads and processes."""

import json
import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np

from edge_mrl import Index
from emulation.on_board.searching import HITS, QUERIES, K

ADD = """
import os, sys
import numpy as np
from edge_mrl import Index
with Index.open(sys.argv[1]) as index:
    for batch in range(3):
        os.write(1, b"before %d\\n" % batch)
        index.add(vectors=np.eye(16)[batch : batch + 1])
        os.write(1, b"acknowledged %d\\n" % batch)
"""

ADD_FOR_EVER = """
import sys
import numpy as np
from edge_mrl import Index
with Index.open(sys.argv[1]) as index:
    while True:
        index.add(vectors=np.eye(16))
        print(index.count(), flush=True)
"""


def new_index(path):
    Index.create(path, dim=16, matryoshka_dims=[16], identity="i", model_name="m").close()
    return path


def test_add_returns_after_the_log_is_on_the_disk(tmp_path):
    # qemu writes down the system calls of the child, in order.
    path = new_index(tmp_path / "i.db")
    done = subprocess.run(
        [sys.executable, "-c", ADD, str(path)],
        env={**os.environ, "QEMU_STRACE": "1"},
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    opened = {}
    synced = None
    acknowledged = 0
    for line in done.stderr.splitlines():
        if found := re.search(r'open(?:at)?\(.*"([^"]*)".*\) = (\d+)', line):
            opened[found[2]] = found[1]
        elif re.search(r" write\(1,", line):
            # The words before and after each batch, in turn.
            if synced is None:
                synced = False
            else:
                assert synced, "a batch was acknowledged before its log was synced"
                acknowledged += 1
                synced = None
        elif (found := re.search(r" f(?:data)?sync\((\d+)", line)) and synced is False:
            synced = opened.get(found[1], "").endswith("-wal")
    assert acknowledged == 3


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    path = new_index(tmp_path / "i.db")
    with subprocess.Popen(
        [sys.executable, "-c", ADD_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        acknowledged = [int(child.stdout.readline()) for _ in range(5)][-1]
        child.send_signal(signal.SIGKILL)
        acknowledged = int(([*child.stdout.read().split()] or [acknowledged])[-1])
    with Index.open(path) as index:
        assert index.count() >= acknowledged
        assert index.search(np.eye(16)[3], k=1)[0].score > 0.99


def test_threads_search_at_the_same_time(indexes):
    expected = json.loads((indexes / HITS).read_text())
    queries = np.load(indexes / QUERIES)
    found = {}

    def search(name):
        with Index.open(indexes / name) as index:
            found[name] = [
                [[hit.id, hit.score] for hit in index.search(query, k=K)] for query in queries
            ]

    threads = [threading.Thread(target=search, args=[name]) for name in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_a_read_only_folder_is_searched(indexes):
    expected = json.loads((indexes / HITS).read_text())
    mount = ["mount", "--bind"]
    place = indexes / "read-only"
    place.mkdir()
    subprocess.run([*mount, str(indexes), str(place)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        query = np.load(indexes / QUERIES)[0]
        for name, hits in expected.items():
            with Index.open(place / name) as index:
                assert [[hit.id, hit.score] for hit in index.search(query, k=K)] == hits[0]
    finally:
        subprocess.run(["umount", str(place)], check=True)
