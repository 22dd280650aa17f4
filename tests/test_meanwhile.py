"""Work in another thread: what it gives, what it raises, and that none is left behind."""

import subprocess
import sys
import threading

import pytest

from edge_mrl.meanwhile import Meanwhile


def test_the_call_runs_beside_the_caller():
    mine, theirs = threading.Event(), threading.Event()

    def work():
        mine.set()
        assert theirs.wait(10)
        return threading.current_thread()

    with Meanwhile(work) as other:
        assert mine.wait(10)
        theirs.set()
        assert other.result() is not threading.current_thread()
        assert other.result() is other.result()


def test_what_the_call_raises_is_raised_where_its_result_is_asked_for():
    with Meanwhile(lambda: {}["missing"]) as other, pytest.raises(KeyError):
        other.result()


def test_no_thread_is_left_behind_when_the_caller_fails_first():
    may_end = threading.Event()
    ended = []

    def work():
        may_end.wait(10)
        ended.append(True)

    with pytest.raises(ZeroDivisionError), Meanwhile(work):
        threading.Timer(0.05, may_end.set).start()
        _ = 1 / 0
    assert ended


def test_without_threads_the_call_is_made_by_the_caller(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with Meanwhile(threading.current_thread) as other:
        assert other.result() is threading.current_thread()


def test_a_process_ends_after_its_threads():
    """An interrupt may come before the thread is waited for; native code that is torn down at exit
    aborts the process."""
    program = (
        "import time\n"
        "from edge_mrl.meanwhile import Meanwhile\n"
        "Meanwhile(lambda: (time.sleep(0.3), print('ended')))\n"
        "raise KeyboardInterrupt"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "ended\n"
