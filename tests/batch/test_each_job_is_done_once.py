# SPDX-License-Identifier: Apache-2.0
"""Jobs are done when what they need is there, and never again once their outcome is stored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.batch.at_once import AtOnce, Heard
from verifier.batch.job import Job
from verifier.batch.question import Question, Subject
from verifier.batch.run import Run
from verifier.batch.store import FILE, opened
from verifier.batch.task import Outcome, Task, failure
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def echo(task: Task) -> Outcome:
    """Return the files of a task, put together."""
    return Outcome({"said": task.command}, {"all": b"+".join(task.files.values())})


def out_of_memory(task: Task) -> Outcome:
    del task
    return failure("no memory")


def job(name: str, *needs: str, word: bytes = b"", at_once: bool = False) -> Job:
    """Return a job that says a word after those of the jobs it needs."""

    def make(outcomes: Mapping[str, Outcome]) -> Task | Outcome:
        if at_once:
            return failure("nothing to do")
        before = {need: outcomes[need].files["all"] for need in needs}
        return Task("echo", {**before, "own": word or name.encode()})

    return Job(name, needs, make)


def test_a_job_sees_what_came_of_those_it_needs(tmp_path: Path) -> None:
    pool, heard = AtOnce(size=2, do=echo), Heard()
    with opened(tmp_path) as store:
        run = Run(pool, store, heard)
        run.do([job("d", "b", "c"), job("b", "a"), job("c", "a"), job("a")])

    assert run.outcomes["d"].files["all"] == b"a+b+a+c+d"
    assert heard.begun_jobs[0] == "a"
    assert heard.begun_jobs[-1] == "d"
    assert [name for name, _ in heard.done_jobs] == ["a", "c", "b", "d"]


def test_what_is_stored_is_not_done_again(tmp_path: Path) -> None:
    jobs = [job("a"), job("b", "a")]
    with opened(tmp_path) as store:
        Run(AtOnce(do=echo), store, Heard()).do(jobs)

    pool, heard = AtOnce(do=echo), Heard()
    with opened(tmp_path) as store:
        run = Run(pool, store, heard)
        run.do([*jobs, job("c", "b")])

    assert [task.files["own"] for task in pool.tasks] == [b"c"]
    assert heard.done_jobs == [("a", True), ("b", True), ("c", False)]
    assert run.outcomes["c"].files["all"] == b"a+b+c"


def test_two_jobs_that_come_to_the_same_are_done_once(tmp_path: Path) -> None:
    pool, heard = AtOnce(size=3, do=echo), Heard()
    with opened(tmp_path) as store:
        Run(pool, store, heard).do([job("a", word=b"x"), job("b", word=b"x")])

    assert len(pool.tasks) == 1
    assert [name for name, _ in heard.done_jobs] == ["a", "b"]


def test_an_error_is_not_kept(tmp_path: Path) -> None:
    failing, pool = AtOnce(do=out_of_memory), AtOnce(do=echo)
    with opened(tmp_path) as store:
        first = Run(failing, store, Heard())
        first.do([job("a")])
        second = Run(pool, store, Heard())
        second.do([job("a")])

    assert first.outcomes["a"].error == "no memory"
    assert second.outcomes["a"].error == ""
    assert len(pool.tasks) == 1


def test_an_outcome_may_be_known_at_once(tmp_path: Path) -> None:
    pool = AtOnce(do=echo)
    with opened(tmp_path) as store:
        run = Run(pool, store, Heard())
        run.do([job("a", at_once=True)])

    assert (run.outcomes["a"].error, pool.tasks) == ("nothing to do", [])


def test_jobs_that_wait_for_each_other_are_a_defect(tmp_path: Path) -> None:
    with opened(tmp_path) as store, pytest.raises(ValueError, match="not there: a, b"):
        Run(AtOnce(do=echo), store, Heard()).do([job("a", "b"), job("b", "a")])


def test_a_folder_is_one_runs_at_a_time(tmp_path: Path) -> None:
    with (
        opened(tmp_path),
        pytest.raises(UsageError, match="another run works in it"),
        opened(tmp_path),
    ):
        pass


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"something else entirely, longer than a header" * 9)

    with pytest.raises(UsageError, match="file is not a database"), opened(tmp_path):
        pass


def test_an_outcome_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        with pytest.raises(sqlite3.Error):
            store.put("d", Outcome({"said": "half"}, {"a": b"1", "b": None}))  # type: ignore[dict-item]
        assert store.get("d") is None


def test_an_outcome_takes_the_place_of_another_with_all_its_files(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.put("d", Outcome({"said": "first"}, {"a": b"1", "b": b"2"}))
        store.put("d", Outcome({"said": "second"}, {"b": b"3"}))

        assert store.get("d") == Outcome({"said": "second"}, {"b": b"3"})


def test_jobs_of_the_same_name_are_not_taken_for_one(tmp_path: Path) -> None:
    def asked(prop: str) -> Job:
        return replace(job("a"), question=Question(Subject("n"), prop, 1.0))

    for first, second in (([job("a")], [asked("p")]), ([asked("p")], [asked("q")])):
        with opened(tmp_path) as store:
            run = Run(AtOnce(do=echo), store, Heard())
            with pytest.raises(UsageError, match="'a' can be understood in two ways"):
                run.do([*first, *first])
            run.do(first)
            run.do(first)
            with pytest.raises(UsageError, match="'a' can be understood in two ways"):
                run.do(second)


@pytest.mark.parametrize("kept", ["null", "[]", '"holds"', "{", ""])
def test_an_outcome_that_cannot_be_read_is_none(kept: str, tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.put("d", Outcome({"said": "first"}))
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE outcomes SET document = ?", (kept,))

    with opened(tmp_path) as store, pytest.raises(UsageError, match="outcome that cannot be read"):
        store.get("d")
