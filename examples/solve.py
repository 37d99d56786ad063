"""Refine the answer to one question, and look at how it came about."""

import refiner

result = refiner.solve_sync(
    "A tram runs every 12 minutes from 6:00 to 22:00, both included. How many departures are there a day?",
    strategy="refine",
    max_iterations=1,
    max_output_tokens=200,
)
print(result.answer)
print(f"read as {result.parsed}, stopped by {result.stop.reason}: {result.stop.detail}")
for step in result.iterations:
    print(f"  {step.chain}/{step.index} {'kept' if step.accepted else 'left'}: {step.reason}")
