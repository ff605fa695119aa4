"""Budgets of steps and of time, the latter by a clock that the test turns."""

import pytest

from opticflow.train.budget import CHECKPOINT_SECONDS, FEWEST_SECONDS_TO_MEASURE, StepBudget, TimeBudget


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_steps_save_and_measure_at_their_intervals_and_at_the_end():
    budget = StepBudget(7, save_every=3, measure_every=5)
    assert [step for step in range(1, 8) if budget.saves(step)] == [3, 6, 7]
    assert [step for step in range(1, 8) if budget.measures(step)] == [5, 7]
    assert budget.share(7) == 1 and budget.share(0) == 0
    assert budget.seconds_left(4, rate=0.5) == 6


def test_time_ends_before_the_budget_so_that_the_last_checkpoint_fits():
    clock = Clock()
    budget = TimeBudget(180, clock=clock)
    budget.note_saving(4.0)
    clock.now += 173.9
    assert budget.share(0) < 1
    clock.now += 0.2  # 180 less one and a half times what a checkpoint took
    assert budget.share(0) >= 1


def test_a_measurement_is_kept_time_for_too():
    clock = Clock()
    budget = TimeBudget(3600, clock=clock)
    assert not budget.measures(0)
    clock.now += 721
    assert budget.measures(0)
    budget.note_measuring(100)
    assert not budget.measures(0)
    clock.now = 1000 + 3600 - 120
    assert budget.share(0) >= 1


def test_short_budgets_measure_nothing():
    clock = Clock()
    budget = TimeBudget(FEWEST_SECONDS_TO_MEASURE - 1, clock=clock)
    clock.now += 1000
    assert not budget.measures(0) and not budget.measures_at_the_end


def test_checkpoints_are_less_than_a_minute_apart():
    clock = Clock()
    budget = TimeBudget(600, clock=clock)
    assert not budget.saves(0)
    clock.now += CHECKPOINT_SECONDS
    assert budget.saves(0) and CHECKPOINT_SECONDS < 60
    budget.note_saving(1)
    assert not budget.saves(0)


def test_an_interrupted_piece_goes_on_where_it_was():
    clock = Clock()
    budget = TimeBudget(100, used=60, clock=clock)
    assert budget.elapsed() == 60
    assert budget.seconds_left(0, rate=1) == pytest.approx(40 - budget.saving)
