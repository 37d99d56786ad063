"""Textual gradient descent on any text: a variable, a loss in words, backward, step."""

import asyncio

import refiner


async def main() -> None:
    async with refiner.engine(max_output_tokens=200) as engine:
        slogan = refiner.Variable("We sell shoes that are good and also not expensive.", "slogan of a shop")
        loss = refiner.TextLoss.by(engine, "Is the slogan short, vivid and about walking?")
        optimizer = refiner.TextualGradientDescent([slogan], engine, constraints=["at most ten words"])
        evaluation = await loss(slogan)
        await refiner.backward(evaluation, engine)
        print(f"critique: {evaluation.value}\nbefore:   {slogan.value}")
        for update in await optimizer.step():
            print(f"after:    {slogan.value}\nproblem:  {update.problem}")
        print(f"tokens:   {engine.usage.tokens}")


asyncio.run(main())
