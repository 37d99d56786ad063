"""Watch a run while it happens: each event once it is committed, and the text as it is written."""

import asyncio

import refiner
from refiner.domain.events import Candidate, Decision, Delta, Evaluation, Heard


def listener(heard: Heard) -> None:
    if isinstance(heard, Delta):
        print(heard.text, end="", flush=True)
        return
    match heard.event:
        case Candidate(index=index, parsed=parsed):
            print(f"\n[candidate {index} reads {parsed}]")
        case Evaluation(verdict=verdict):
            print(f"\n[the critic says {verdict}]")
        case Decision(accepted=accepted, reason=reason):
            print(f"[{'accepted' if accepted else 'rejected'}: {reason}]")


asyncio.run(
    refiner.solve("What is 17 * 23?", listener=listener, strategy="textgrad", max_iterations=1, max_output_tokens=256)
)
