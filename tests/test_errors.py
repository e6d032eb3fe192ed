from __future__ import annotations

import errno

import pytest

from sei.errors import DiskError, causes, disk_trouble
from sei.exits import tell


def circle() -> RuntimeError:
    a, b = RuntimeError("a"), RuntimeError("b")
    a.__cause__, b.__cause__ = b, a
    return a


def test_errors_that_cause_each_other_are_each_looked_at_once():
    assert [str(e) for e in causes(circle())] == ["a", "b"]
    one = RuntimeError("one")
    one.__cause__ = one
    assert list(causes(one)) == [one]
    assert disk_trouble(circle()) is None


def test_a_full_disk_is_found_behind_a_circle():
    full = OSError(errno.ENOSPC, "no space left")
    first = circle()
    assert first.__cause__ is not None
    first.__cause__.__cause__ = full
    assert isinstance(disk_trouble(first), DiskError)


@pytest.mark.parametrize("error", [circle(), RuntimeError("plain")])
def test_the_door_words_any_error(error):
    from sei.__main__ import _before_the_job, _refused

    assert _refused(error) is None
    assert _before_the_job(error) is None


@pytest.mark.parametrize(("code", "said"), [(0, 1), (None, 1), (3, 3), ("why", 1), (True, 1), (256, 1)])
def test_a_part_that_ends_the_process_never_gives_code_0(code, said, capsys):
    """``sys.exit()`` in a part ended a run with exit code 0 and no result."""
    assert tell(SystemExit(code)) == said
    if not code:
        assert "a part ended the process before there was a result" in capsys.readouterr().err
