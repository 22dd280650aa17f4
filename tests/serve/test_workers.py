"""The pool of threads: order, failures, cancelling, ending."""

import threading
from types import SimpleNamespace

import pytest

from edge_mrl.errors import BundleError
from edge_mrl.serve.workers import Workers


class _Engine:
    """Remembers the thread that opened it."""

    def __init__(self):
        self.thread = threading.get_ident()
        self.closed = False
        self.model = SimpleNamespace(name="m")

    def close(self):
        assert threading.get_ident() == self.thread
        self.closed = True


def test_each_engine_stays_in_its_thread_and_is_closed():
    engines = []

    def opened():
        engines.append(_Engine())
        return engines[-1]

    pool = Workers(opened, 3)
    assert pool.start().model.name == "m"
    together = threading.Barrier(3)

    def job(engine):
        together.wait(20)
        assert threading.get_ident() == engine.thread
        return str(engine.thread).encode()

    futures = [pool.submit(job) for _ in range(3)]
    assert {future.result(20) for future in futures} == {
        str(engine.thread).encode() for engine in engines
    }
    pool.stop()
    assert all(engine.closed for engine in engines)


def test_a_job_that_fails_leaves_the_thread_working():
    pool = Workers(_Engine, 1)
    pool.start()

    def bad(engine):
        raise KeyError("bug")

    with pytest.raises(KeyError):
        pool.submit(bad).result(20)
    assert pool.submit(lambda engine: b"fine").result(20) == b"fine"
    pool.stop()


def test_a_cancelled_job_is_passed_over():
    pool = Workers(_Engine, 1)
    pool.start()
    gate = threading.Event()
    ran = []

    def wait(engine):
        gate.wait(20)
        return b""

    first = pool.submit(wait)
    second = pool.submit(lambda engine: ran.append(1) or b"")
    third = pool.submit(lambda engine: b"third")
    assert second.cancel()
    gate.set()
    assert (first.result(20), third.result(20)) == (b"", b"third")
    assert not ran
    pool.stop()


def test_an_engine_that_cannot_be_opened_is_named_at_the_start():
    calls = []

    def opened():
        calls.append(1)
        if len(calls) == 2:
            raise BundleError("no bundle")
        return _Engine()

    pool = Workers(opened, 2)
    with pytest.raises(BundleError, match="no bundle"):
        pool.start()
