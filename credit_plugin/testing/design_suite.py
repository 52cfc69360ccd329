"""What every design has to keep: seeded, nested in the budget, borders first."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from credit_plugin.errors import InputError
from credit_plugin.game.design import design


class DesignSuite:
    """The laws of a design; inherit, and set what is different.

    Attributes:
        kind: Its registered name.
        options: Its options.
        distinct: Whether no coalition comes twice.
        most: Contributors that it is for, at most.
    """

    kind: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    distinct: ClassVar[bool] = True
    most: ClassVar[int] = 1000

    def __init_subclass__(cls) -> None:
        """Take away the law that a design which repeats coalitions does not claim."""
        if not cls.distinct:
            cls.test_no_coalition_comes_twice = None  # type: ignore[method-assign,assignment]

    def rows(self, n: int, budget: int, seed: int = 0) -> np.ndarray:
        """Return the design, or what there is of it if it has fewer coalitions."""
        n = min(n, self.most)
        while True:
            try:
                return design(n, budget, self.kind, seed, **self.options)
            except InputError:
                if budget == 4:
                    raise
                budget -= 1

    @pytest.mark.parametrize("n", [3, 4, 9, 40, 1000])
    def test_the_borders_come_first(self, n: int) -> None:
        """Every value rests on the empty and the full coalition."""
        rows = self.rows(n, min(2**n, 24))
        assert rows.dtype == bool
        assert rows.shape[1] == min(n, self.most)
        assert not rows[0].any()
        assert rows[1].all()

    @pytest.mark.parametrize("n", [4, 9, 40])
    def test_a_smaller_budget_is_the_beginning_of_a_larger_one(self, n: int) -> None:
        """A study can be topped up."""
        rows = self.rows(n, min(2**n, 40))
        for budget in range(4, len(rows)):
            assert np.array_equal(self.rows(n, budget), rows[:budget])

    def test_the_seed_decides(self) -> None:
        """Same seed, same rows."""
        assert np.array_equal(self.rows(9, 40, 3), self.rows(9, 40, 3))

    @pytest.mark.parametrize("n", [3, 9, 40])
    def test_no_coalition_comes_twice(self, n: int) -> None:
        """Repeats are asked for elsewhere."""
        rows = self.rows(n, min(2**n, 60))
        assert len(np.unique(rows, axis=0)) == len(rows)
