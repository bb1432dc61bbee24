"""What the audit needs of CP-SAT, the exact solver of OR-Tools (Perron and Didier, Google).

It is called by its compiled module: the front that is documented, ``cp_model``, imports pandas for
its annotations, which takes longer than most searches. The compiled module may change with every
version, so ``pyproject.toml`` names the one that this was written for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Expression = Any
"""A whole number, or a variable, or sums and multiples of them; compared, an inequality."""


BUILDING = 3e-5
"""What each constraint of a model costs a purse besides its search."""


class Purse:
    """What all searches for one table may take together: CP-SAT's deterministic time (a second of
    it is some four of a processor), so that an answer does not depend on the machine."""

    def __init__(self, full: float) -> None:
        self.left = full


class Model:
    """Whole numbers and what must hold between them; 64 bits must hold every sum."""

    def __init__(self) -> None:
        from ortools.sat.python import cp_model_helper

        self._compiled: Any = cp_model_helper
        self._base: Any = cp_model_helper.CpBaseModel(None)
        self._held = 0

    def number(self, low: int, high: int) -> Expression:
        """A number between two others, both included."""
        from ortools.util.python.sorted_interval_list import Domain

        return self._compiled.IntVar(self._base.model_proto).with_domain(Domain(low, high))

    def product(self, a: Expression, b: Expression, most: int) -> Expression:
        """Their product, which lies between 0 and ``most``."""
        value = self.number(0, most)
        kind = self._compiled.LinearArgumentConstraint.prod
        self._base._add_linear_argument_constraint(kind, value, [a, b])
        self._held += 1
        return value

    def hold(self, *inequalities: Expression, when: Expression | None = None) -> None:
        """What must be, or must be when a number (0 or 1) is 1."""
        for one in inequalities:
            if isinstance(one, bool):  # of whole numbers alone
                one = self.number(0, 0) == int(not one)
            constraint = self._base._add_bounded_linear_expression(one)
            self._held += 1
            if when is not None:
                constraint.only_enforce_if(when)

    def solutions(
        self, wanted: Sequence[Expression], most: int, effort: float, purse: Purse | None = None
    ) -> tuple[list[tuple[int, ...]], bool]:
        """At most so many values of these numbers, and whether there are no others.

        Args:
            effort: At most so much deterministic time.
            purse: What is left for all searches; what is taken is taken from it.
        """
        purse = Purse(effort) if purse is None else purse
        if purse.left <= 0:
            return [], False
        found: list[tuple[int, ...]] = []
        compiled: Any = self._compiled
        callback: Any = compiled.SolutionCallback

        class Collect(callback):  # type: ignore[misc]
            def OnSolutionCallback(self) -> None:  # noqa: N802
                found.append(tuple(map(self.Value, wanted)))
                if len(found) == most:
                    self.StopSearch()

        parameters: Any = compiled.SatParameters()
        parameters.num_workers = 1  # several give other answers every time
        parameters.max_deterministic_time = min(effort, purse.left)
        parameters.cp_model_presolve = False  # it takes up to 100 times as long as the search
        parameters.enumerate_all_solutions = most > 1
        # Its handler would outlive the solver: the next Ctrl-C ended in a segmentation fault.
        parameters.catch_sigint_signal = False
        solver: Any = compiled.SolveWrapper()
        solver.set_parameters(parameters)
        collect = Collect()  # the solver does not keep it alive
        solver.add_solution_callback(collect)
        response = solver.solve(self._base.model_proto)
        purse.left -= response.deterministic_time + BUILDING * self._held
        solver.clear_solution_callback(collect)
        ended = (compiled.CpSolverStatus.OPTIMAL, compiled.CpSolverStatus.INFEASIBLE)
        return found, len(found) < most and response.status in ended
