"""A program as the loss: the checker finds the flaw, the model only mends it, and the gate is the score."""

import asyncio

import refiner
from refiner.autograd.losses import Check

WANTED = ("tide", "lantern", "north")


def check(text: str) -> Check:
    missing = [word for word in WANTED if word not in text.lower()]
    return Check(not missing, 1 - len(missing) / len(WANTED), f"missing words: {', '.join(missing) or 'none'}")


async def main() -> None:
    async with refiner.engine(max_output_tokens=120) as engine:
        line = refiner.Variable("The old man lit his lantern.", "sentence of a story")
        optimizer = refiner.TextualGradientDescent([line], engine)
        loss = refiner.CheckerLoss(check)
        evaluation, best = loss(line)
        for _ in range(3):
            if best.passed:
                break
            optimizer.zero_grad()
            await refiner.backward(evaluation, engine)
            (update,) = await optimizer.propose()
            found = check(update.new)
            if update.problem is None and found.score >= best.score and update.apply():
                evaluation, best = loss(line)
            print(f"{found.score:.2f}: {update.new}")
        print(f"kept {best.score:.2f}: {line.value}")


asyncio.run(main())
