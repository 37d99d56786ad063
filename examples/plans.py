"""A treatment plan: weights of eight beams on a phantom, with clinical goals as the loss. pip install 'refiner[plans]'.

A toy of 41 × 41 pixels in NumPy, no device: pencil beams that fade with depth, a tumour, and an organ beside it.
"""

import asyncio

import numpy as np

import refiner

y, x = np.mgrid[-20:21, -20:21]
TUMOUR, ORGAN = x**2 + y**2 <= 5**2, (x - 13) ** 2 + y**2 <= 4**2
DIRECTIONS = [(np.cos(angle), np.sin(angle)) for angle in np.pi / 4 * np.arange(8)]
DOSES = np.stack([np.exp(-0.02 * (x * c + y * s + 20) - (y * c - x * s) ** 2 / 2 / 6.0**2) for c, s in DIRECTIONS])
GOALS = """1. At least 95 % of the tumour gets 60 Gy or more (D95 ≥ 60 Gy).
2. No part of the tumour gets more than 75 Gy.
3. The mean dose of the organ is below 25 Gy. Beams 0 and 4 pass through it.
Does the plan meet every goal? Name those that it misses, by how much, and which weights to raise or lower."""


def measured(plan: str) -> tuple[float, float, float]:
    dose = np.tensordot([float(word) for word in plan.split()], DOSES, 1)
    return float(np.percentile(dose[TUMOUR], 5)), float(dose[TUMOUR].max()), float(dose[ORGAN].mean())


def told(plan: str) -> str:
    least, most, organ = measured(plan)
    return f"tumour D95 {least:.1f} Gy, tumour maximum {most:.1f} Gy, organ mean {organ:.1f} Gy"


def fits(plan: str) -> bool:
    return len(plan.split()) == len(DOSES) and all(float(word) >= 0 for word in plan.split())


async def main() -> None:
    async with refiner.engine(max_output_tokens=300) as engine:
        plan = refiner.Variable("12 12 12 12 12 12 12 12", "weights in Gy of beams 0 to 7, each 45 degrees further")
        simulator = refiner.Function(told, "Simulates the dose, the sum of the weighted beams.", "dose of the plan")
        goals = refiner.TextLoss.by(engine, GOALS)

        async def missed() -> float:
            least, most, organ = measured(plan.value)
            return max(0.0, 60 - least) + max(0.0, most - 75) + max(0.0, organ - 25)

        form = refiner.Constraint("eight numbers with blanks between, none of them negative", fits)
        optimizer = refiner.TextualGradientDescent([plan], engine, [form], validation=missed, maximise=False)
        descent = await refiner.descend(optimizer, lambda _: goals(simulator(plan)), until="clean | iterations:4")
        for (update,) in descent.updates:
            print(f"{update.new}: {update.reason or update.problem or told(update.new)}")
        print(f"kept {plan.value}: {told(plan.value)}, {await missed():.1f} Gy off the goals")


asyncio.run(main())
