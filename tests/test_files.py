"""Files that are brought to the disk beside other work."""

import threading
from pathlib import Path

import pytest

from grok import files


def test_a_file_is_brought_to_the_disk_and_never_twice_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, begun, go_on, synced = tmp_path / "x", threading.Event(), threading.Event(), []

    def fsync(descriptor: int) -> None:
        begun.set()
        go_on.wait()
        synced.append(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)
    path.write_bytes(b"x")
    with files.Syncing(path) as written:
        written.begin()
        begun.wait()
        written.begin()  # the first is under way
        go_on.set()
    assert len(synced) == 1


def test_what_fails_beside_the_work_does_not_stop_it(tmp_path: Path):
    with files.Syncing(tmp_path / "not-there") as written:
        written.begin()
    assert isinstance(written.latest.exception(), FileNotFoundError)


def test_where_there_can_be_no_thread_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    (tmp_path / "x").write_bytes(b"x")
    with files.Syncing(tmp_path / "x") as written, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        written.begin()
        written.begin()
