"""What is known before a run: here, that its input is too long."""

import pytest

from refiner.app.forecast import too_long
from refiner.app.plan import plan_of, task_of
from refiner.config.settings import Settings
from refiner.domain.calls import Capabilities, Count, Request
from refiner.domain.code import Suite
from refiner.domain.errors import ContextLengthError
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
