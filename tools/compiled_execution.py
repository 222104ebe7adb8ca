"""A pytest plugin with which graphql-core's own tests execute operations compiled; see `graphql_core_tests.py`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator
from typing import Any

import graphql
import pytest
from graphql.pyutils import is_awaitable

from gallery.compiler import CompiledOperation, compile_operation

OTHER_ERRORS = "several errors make one place null: graphql-core tells of more than one, as its test says"
SYNCHRONOUS = "without `check_sync`, `execute_sync` takes awaitables for values; compiled operations never do"
DIFFERENCES = {
    "suppresses_sibling_errors_after_a_non_null_error_bubbles": "the sibling is cancelled sooner than the test sets it",
    "describe_nulls_a_complex_tree_of_nullable_fields_each::throws": "errors of what is awaited come level by level",
    "nullable_and_non_nullable_root_fields_throw_nested_errors": OTHER_ERRORS,
    "slower_nullable_after_non_nullable_root_field": OTHER_ERRORS,
    "nullable_and_non_nullable_nested_fields_throw_nested_errors": OTHER_ERRORS,
    "slower_nullable_after_non_nullable_nested_field": OTHER_ERRORS,
    "describe_execute_sync::throws_if_encountering_async_operation_without_check_sync": SYNCHRONOUS,
    "describe_execute_sync::iterates_sync_and_async_iterables_synchronously_without_check_sync": SYNCHRONOUS,
    "describe_execute_sync::reports_async_iterables_as_errors_without_check_sync": SYNCHRONOUS,
}
"""The tests of graphql-core 3.3 that compiled operations do not pass, and why."""

LEAST_COMPILED = 240
"""How many of the tests execute compiled operations at least: if fewer do, the rest proves little."""

_PARAMETERS = ("schema", "document", "root_value", "context_value", "variable_values", "operation_name")


class CompiledExecution:
    """Stands for `execute` and `execute_sync`, and counts what it did."""

    def __init__(self) -> None:
        self.compiled = 0
        self.reasons: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()
        self._execute, self._execute_sync = graphql.execute, graphql.execute_sync

    def execute(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  # as graphql-core has it
        """In place of graphql-core's."""
        given = {**dict(zip(_PARAMETERS, args, strict=False)), **options}
        operation = self._compile(given)
        if operation is None:
            return self._execute(*args, **options)
        return operation.start(given.get("root_value"), given.get("context_value"), given.get("variable_values"))

    def execute_sync(self, *args: Any, check_sync: Any = False, **options: Any) -> Any:  # noqa: ANN401
        """In place of graphql-core's."""
        given = {**dict(zip(_PARAMETERS, args, strict=False)), **options}
        operation = None if callable(check_sync) else self._compile(given)
        if operation is None:
            return self._execute_sync(*args, check_sync=check_sync, **options)
        result = operation.start(given.get("root_value"), given.get("context_value"), given.get("variable_values"))
        if is_awaitable(result):
            result.close()
            message = "GraphQL execution failed to complete synchronously."
            raise RuntimeError(message)
        return result

    def _compile(self, given: dict[str, Any]) -> CompiledOperation | None:
        options = sorted(name for name, value in given.items() if name not in _PARAMETERS and value is not None)
        if options:
            self.reasons[f"option {', '.join(options)}"] += 1
            return None
        operation = compile_operation(
            given["schema"], given["document"], given.get("operation_name"), given.get("variable_values")
        )
        if isinstance(operation, CompiledOperation):
            self.compiled += 1
            return operation
        self.reasons[operation.reason] += 1
        return None


_execution = CompiledExecution()


def pytest_configure() -> None:
    """Puts the two in place before tests import them."""
    for name in ("graphql", "graphql.graphql", "graphql.execution", "graphql.execution.execute"):
        module: Any = sys.modules[name]
        module.execute, module.execute_sync = _execution.execute, _execution.execute_sync


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the known differences."""
    for item in items:
        for name, reason in DIFFERENCES.items():
            if item.nodeid.endswith(f"::{name}"):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """Looks at what a test makes of the two."""
    compiled, left = _execution.compiled, _execution.reasons.total()
    try:
        return (yield)
    finally:
        kinds = [
            *(["compiled"] if _execution.compiled > compiled else []),
            *(["left to graphql-core"] if _execution.reasons.total() > left else []),
        ]
        _execution.tests[" and ".join(kinds) or "executing nothing by these functions"] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails if all were to run and too few of them had anything compiled."""
    if not session.config.option.keyword and _compiled_tests() < LEAST_COMPILED:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much was compiled, and why the rest was not."""
    for kind, count in _execution.tests.most_common():
        terminalreporter.write_line(f"{count:6} tests: {kind}")
    terminalreporter.write_line(f"{_execution.compiled:6} executions: compiled")
    for reason, count in _execution.reasons.most_common():
        terminalreporter.write_line(f"{count:6} executions left to graphql-core: {reason}")
    if _compiled_tests() < LEAST_COMPILED:
        terminalreporter.write_line(f"Of all tests at least {LEAST_COMPILED} have to execute compiled operations.")


def _compiled_tests() -> int:
    return sum(count for kinds, count in _execution.tests.items() if kinds.startswith("compiled"))
