"""What the audit needs of CP-SAT, the exact solver of OR-Tools (Perron and Didier, Google).

It is called by its compiled module: the front that is documented, ``cp_model``, imports pandas for
its annotations, which takes longer than most searches. The compiled module may change with every
version, so ``pyproject.toml`` names the one that this was written for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ortools.sat.python import cp_model_helper as compiled
from ortools.util.python.sorted_interval_list import Domain

Expression = Any
"""A whole number, or a variable, or sums and multiples of them; compared, an inequality."""


class Model:
    """Whole numbers and what must hold between them; 64 bits must hold every sum."""

    def __init__(self) -> None:
        self._base: Any = compiled.CpBaseModel(None)

    def number(self, low: int, high: int) -> Expression:
        """A number between two others, both included."""
        return compiled.IntVar(self._base.model_proto).with_domain(Domain(low, high))

    def product(self, a: Expression, b: Expression, most: int) -> Expression:
        """Their product, which lies between 0 and ``most``."""
        value = self.number(0, most)
        kind = compiled.LinearArgumentConstraint.prod
        self._base._add_linear_argument_constraint(kind, value, [a, b])
        return value

    def hold(self, *inequalities: Expression) -> None:
        for one in inequalities:
            self._base._add_bounded_linear_expression(one)

    def solutions(
        self, wanted: Sequence[Expression], most: int, effort: float
    ) -> tuple[list[tuple[int, ...]], bool]:
        """At most so many values of these numbers, and whether there are no others.

        Args:
            effort: CP-SAT's deterministic time (some seconds each), so that an answer does not
                depend on the machine.
        """
        found: list[tuple[int, ...]] = []

        class Collect(compiled.SolutionCallback):
            def OnSolutionCallback(self) -> None:  # noqa: N802
                found.append(tuple(map(self.Value, wanted)))
                if len(found) == most:
                    self.StopSearch()

        parameters: Any = compiled.SatParameters()
        parameters.num_workers = 1  # several give other answers every time
        parameters.max_deterministic_time = effort
        parameters.cp_model_presolve = False  # it takes up to 100 times as long as the search
        parameters.enumerate_all_solutions = most > 1
        # Its handler would outlive the solver: the next Ctrl-C ended in a segmentation fault.
        parameters.catch_sigint_signal = False
        solver: Any = compiled.SolveWrapper()
        solver.set_parameters(parameters)
        collect = Collect()  # the solver does not keep it alive
        solver.add_solution_callback(collect)
        status = solver.solve(self._base.model_proto).status
        solver.clear_solution_callback(collect)
        ended = (compiled.CpSolverStatus.OPTIMAL, compiled.CpSolverStatus.INFEASIBLE)
        return found, len(found) < most and status in ended
