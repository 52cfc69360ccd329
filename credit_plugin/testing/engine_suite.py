"""What every execution engine has to keep: an outcome for each job, whatever befalls workers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from credit_plugin.config import ExecutionSettings
from credit_plugin.errors import StudyFailedError
from credit_plugin.execution.engine import Engine, Job, Outcome, RunnerFactory, create_engine
from credit_plugin.testing.engine_jobs import TrialFactory


def squares(count: int) -> list[Job]:
    """Return jobs whose results are 0, 1, 4, 9 ..."""
    return [Job(str(i), {"x": i}) for i in range(count)]


_LOST_WORKERS = (
    "test_a_job_whose_worker_is_killed_is_tried_again",
    "test_a_job_that_always_kills_its_worker_is_given_up",
    "test_a_hanging_worker_is_replaced",
    "test_silence_is_named_when_a_job_is_given_up",
    "test_a_long_job_that_reports_is_left_alone",
)


class EngineSuite:
    """The laws of an engine; inherit, and set what is different.

    Attributes:
        engine: Its registered name.
        settings: Further fields of ``execution``.
        factory: Makes the runners of trials.
        replaces_workers: Whether a job whose worker dies or hangs is tried in another one; not if
            jobs run in the process that calls.
    """

    engine: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    factory: ClassVar[TrialFactory] = TrialFactory()
    replaces_workers: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        """Take away the laws of lost workers, whose trials would end the tests' own process."""
        if not cls.replaces_workers:
            for law_name in _LOST_WORKERS:
                setattr(cls, law_name, None)

    def create(self, **settings: Any) -> Engine:
        """Return the engine, with two workers unless something else is said."""
        told = {"workers": 2, "patience_seconds": 60.0, **self.settings, **settings}
        return create_engine(ExecutionSettings(engine=self.engine, **told))

    def outcomes(
        self, jobs: list[Job], factory: RunnerFactory | None = None, **settings: Any
    ) -> dict[str, Outcome]:
        """Run jobs and return the outcome of each."""
        with self.create(**settings) as engine:
            return {o.job.key: o for o in engine.run(factory or self.factory, jobs)}

    @pytest.mark.parametrize("workers", [1, 2, 3])
    def test_every_job_has_one_outcome_whatever_the_number_of_workers(self, workers: int) -> None:
        """Results do not depend on how many work, and nothing is tried twice."""
        found = self.outcomes(squares(20), workers=workers)
        assert {key: o.result for key, o in found.items()} == {str(i): i * i for i in range(20)}
        assert all(o.error is None and o.attempts == 1 for o in found.values())
        assert all(o.finished >= o.started > 0 for o in found.values())

    def test_no_jobs_no_outcomes(self) -> None:
        """Nothing to do is done at once."""
        assert self.outcomes([]) == {}

    def test_an_engine_runs_one_call_after_the_other(self) -> None:
        """As the stages of a study are."""
        with self.create() as engine:
            for count, workers in ((1, 1), (4, None), (2, 1)):
                found = engine.run(self.factory, squares(count), workers=workers, threads=1)
                assert sorted(o.result for o in found) == [i * i for i in range(count)]

    def test_a_job_whose_worker_is_killed_is_tried_again(self, tmp_path: Path) -> None:
        """The others are not disturbed."""
        bad = Job("bad", {"do": "die once", "memory": str(tmp_path / "m"), "x": 5})
        found = self.outcomes([bad, *squares(6)])
        assert (found["bad"].result, found["bad"].attempts) == (25, 2)
        assert all(found[str(i)].result == i * i for i in range(6))

    def test_a_job_that_always_kills_its_worker_is_given_up(self) -> None:
        """After the tries of the settings, with the reason."""
        found = self.outcomes([Job("bad", {"do": "die"}), *squares(6)])
        assert found["bad"].attempts == 3
        assert "worker lost: its process ended" in str(found["bad"].error)
        assert all(found[str(i)].result == i * i for i in range(6))

    def test_a_hanging_worker_is_replaced(self, tmp_path: Path) -> None:
        """Once it was silent for too long."""
        slow = Job("slow", {"do": "hang once", "memory": str(tmp_path / "m"), "x": 3})
        found = self.outcomes([slow, *squares(3)], patience_seconds=4.0)
        assert (found["slow"].result, found["slow"].attempts) == (9, 2)

    def test_silence_is_named_when_a_job_is_given_up(self) -> None:
        """With the time that was waited."""
        found = self.outcomes([Job("slow", {"do": "hang"})], patience_seconds=3.0, attempts=2)
        assert "no sign of life for 3 seconds" in str(found["slow"].error)
        assert found["slow"].attempts == 2

    def test_a_long_job_that_reports_is_left_alone(self) -> None:
        """Reports are signs of life."""
        seen: list[int] = []
        with self.create(patience_seconds=5.0) as engine:
            jobs = [Job("long", {"do": "long", "seconds": 9.0, "x": 2})]
            (found,) = engine.run(self.factory, jobs, lambda _, done, of: seen.append(done))
        assert (found.result, found.attempts) == (4, 1)
        assert len(seen) >= 3

    def test_reports_are_passed_on(self) -> None:
        """With the job that makes them."""
        seen: list[tuple[str, int]] = []
        jobs = [Job("long", {"do": "long", "seconds": 0.6, "x": 2})]
        with self.create() as engine:
            list(engine.run(self.factory, jobs, lambda job, _, of: seen.append((job.key, of))))
        assert set(seen) == {("long", 12)}

    def test_an_exception_is_one_line_and_tried_three_times(self) -> None:
        """The line says what and where."""
        found = self.outcomes([Job("bad", {"do": "raise"}), *squares(2)])
        assert str(found["bad"].error).startswith("ValueError: this one cannot be done (act, line")
        assert "\n" not in str(found["bad"].error)
        assert found["bad"].attempts == 3

    def test_input_that_cannot_be_used_is_told_as_it_is_and_not_tried_again(self) -> None:
        """Whatever the number of tries."""
        found = self.outcomes([Job("bad", {"do": "refuse"}), *squares(2)])
        assert (found["bad"].error, found["bad"].attempts) == ("field: this cannot be used", 1)
        assert found["bad"].refused
        assert not found["1"].refused

    def test_workers_that_cannot_start_are_reported_once(self) -> None:
        """Not once for each job."""
        reason = "workers cannot start: RuntimeError: no model here"
        with pytest.raises(StudyFailedError, match=reason):
            self.outcomes(squares(4), factory=TrialFactory(broken=True))
