"""A code snippet, mended and made faster: its tests run in the sandbox, and are its verifier."""

import refiner
from refiner.domain.code import Suite

SNIPPET = """
def longest_increasing(numbers, above=float("-inf")):
    if not numbers:
        return 0
    without = longest_increasing(numbers[1:], above)
    if numbers[0] > above:
        return max(without, 1 + longest_increasing(numbers[1:], numbers[0]))
    return without
"""
TESTS = """
from snippet import longest_increasing

assert longest_increasing([]) == 0
assert longest_increasing([10, 9, 2, 5, 3, 7, 101, 18]) == 4
assert longest_increasing(list(range(3000)) + [0]) == 3000
"""

result = refiner.solve_sync(
    "The longest increasing subsequence of many numbers takes for ever, or too deep a recursion: use bisect.",
    program=SNIPPET,
    suite=Suite((("test_snippet.py", TESTS),), "snippet"),
    chains=2,
    max_iterations=1,
    max_time=120,
    max_output_tokens=400,
)
print(result.answer)
if result.tests:
    print(f"{result.tests.passed} of {result.tests.total} tests pass, {result.stop.reason}: {result.stop.detail}")
