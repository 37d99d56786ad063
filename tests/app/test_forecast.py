"""What is known before a run: what it will cost, and that its input is too long."""

from dataclasses import replace

import pytest

from refiner.app.forecast import forecast, too_long
from refiner.app.plan import plan_of, task_of
from refiner.config.settings import Settings
from refiner.domain.calls import Capabilities, Count, Request, Usage
from refiner.domain.code import Suite
from refiner.domain.errors import ContextLengthError
from refiner.domain.run import Limits
from refiner.prompts import Prompts
from refiner.providers.openai import OpenAIProvider

pytestmark = pytest.mark.anyio

LONG = "def add(a, b): return a + b\n" * 1_000
TESTS = Suite((("test_add.py", "assert add(1, 2) == 3\n"),))


class Narrow(OpenAIProvider):
    """A model that reads 4,000 tokens, each of four characters."""

    async def capabilities(self) -> Capabilities:
        return Capabilities(context_tokens=4_000)

    async def count(self, request: Request) -> Count:
        return Count(sum(len(str(part)) for message in request.messages for part in message.parts) // 4, True)


async def check(program: str, suite: Suite | None) -> None:
    made = plan_of(task_of("Mend it.", "code", program, suite), Settings(), "openai:narrow")
    provider = Narrow("narrow", name="openai:narrow", api_key="none")
    try:
        await too_long(made, provider, Prompts())
    finally:
        await provider.aclose()


async def test_a_program_that_no_model_can_read() -> None:
    with pytest.raises(ContextLengthError, match="narrow reads 4,000"):
        await check(LONG, None)


@pytest.mark.parametrize(("program", "suite"), [(LONG, TESTS), (LONG[:28], None)])
async def test_a_program_that_fits_or_may_pass_unread(program: str, suite: Suite | None) -> None:
    await check(program, suite)


def priced(tokens: float, name: str) -> OpenAIProvider:
    """A model whose every token costs so many dollars."""

    class Priced(OpenAIProvider):
        def price(self, usage: Usage) -> float | None:
            return tokens * usage.tokens

    return Priced(name, name=f"openai:{name}", api_key="none")


async def test_a_dear_critic_is_in_the_forecast_and_limits_hold() -> None:
    settings = Settings(critic_model="openai:dear", strategy="refine", chains=2, max_iterations=3)
    plan = plan_of(task_of("Why is the sky blue?"), settings, "openai:cheap")
    providers = {"openai:cheap": priced(0.0, "cheap"), "openai:dear": priced(0.01, "dear")}
    told = forecast(plan, providers, Prompts())
    assert (told.least.cost_usd or 0) > 0
    assert (told.most.cost_usd or 0) > (told.expected.cost_usd or 0)
    same = forecast(plan, {**providers, "openai:cheap": priced(0.01, "cheap")}, Prompts())
    assert same.most.cost_usd == pytest.approx(0.01 * same.most.tokens, rel=0.01)
    limited = forecast(replace(plan, limits=Limits(cost_usd=0.001)), providers, Prompts())
    assert (limited.least.calls, limited.expected.calls, limited.most.calls) == (1, 1, 1)
    assert limited.most.cost_usd == pytest.approx(0.001)
