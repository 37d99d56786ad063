"""The majority of independent answers to a choice, within a hard limit of tokens."""

import refiner

QUESTION = """Which of these metals is liquid at 20 °C?
A) Tin
B) Mercury
C) Lead
D) Zinc"""

result = refiner.solve_sync(QUESTION, strategy="vote", max_tokens=6000, max_output_tokens=128)
print(f"answer {result.parsed}")
for vote in result.votes or ():
    print(f"  {vote.answer}: {vote.voters} of {len(result.iterations)} answers")
print(f"{result.usage.tokens} of at most 6000 tokens")
