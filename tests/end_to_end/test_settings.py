"""Words, flags and settings that do not exist: one line that names them, and nothing is spent."""

import pytest

from tests.end_to_end.program import Program
from tests.scripted import Scripted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "gpt-4o"], 'there is no model "gpt-4o"'),
        (["-m", "opnai:gpt-4o"], 'there is no model "opnai:gpt-4o"'),
        (["-m", "openai:"], 'there is no model "openai:"'),
        (["-m", "local:no-such-model"], "no-such-model"),
        (["--critic-model", "nobody:x"], 'there is no model "nobody:x"'),
        (["-s", "textgard"], 'there is no strategy "textgard"'),
        (["-s", "tree"], 'there is no strategy "tree" in this version'),
        (["-s", "repair"], 'the strategy "repair" is for code'),
        (["--policy", "nothing"], 'there is no rule "nothing"'),
        (["--until", "agre:2"], 'did you mean "agree"'),
        (["--until", "agree:2 |"], "stop rule"),
        (["--until", "agree:"], "stop rule"),
        (["--set", "modle=x"], "unknown setting --set modle; did you mean --set model?"),
        (["--set", "vote.mots=3"], "did you mean --set vote.most?"),
        (["--set", "vote.most=many"], "vote.most"),
        (["--set", "nonsense"], "KEY=VALUE"),
        (["-c", "missing.toml"], "missing.toml"),
        (["--answer-type", "poem"], "'poem'"),
        (["--base-url", "nonsense"], "the base URL must look like"),
        (["--base-url", "ftp://127.0.0.1"], "the base URL must look like"),
        (["-k", "0"], "--chains"),
        (["-n", "-1"], "--max-iterations"),
        (["-n", "many"], "'many'"),
        (["--max-calls", "0"], "--max-calls"),
        (["--max-tokens", "-5"], "--max-tokens"),
        (["--max-cost", "-1"], "--max-cost"),
        (["--max-cost", "nan"], "--max-cost"),
        (["--max-time", "soon"], "--max-time"),
        (["--target", "2"], "--target"),
        (["--temperature", "9"], "--temperature"),
        (["--max-output-tokens", "0"], "--max-output-tokens"),
        (["--concurrency", "0"], "--concurrency"),
        (["--max-cost", "0.1"], "the price of openai:scripted is unknown"),
        (["--resume", "@"], "--resume takes no input"),
        (["--tests", "t.py"], 'there is no file "t.py"'),
        (["--sandbox", "jail"], "'jail'"),
        (["-o", "out.py"], "are for code"),
        (["--in-place"], "are for code"),
        (["--patch"], "are for code"),
        (["--tui"], "needs a terminal"),
        (["--max-call", "3"], "'--max-calls'"),
        (["more", "words"], "unexpected extra argument"),
    ],
)
def test_what_solve_does_not_know(words: list[str], message: str, refiner: Program, scripted: Scripted) -> None:
    done = refiner("solve", "Why?", "-q", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.error
    assert scripted.asked == []
    assert not refiner.database.exists() or refiner("run", "list", "--json").json == []


@pytest.mark.parametrize("words", [["solv", "Why?"], ["Why is the sky blue?"], ["run", "lisst"], ["--jsn"], ["evl"]])
def test_what_is_no_command(words: list[str], refiner: Program, scripted: Scripted) -> None:
    done = refiner(*words)
    assert (done.code, done.out, scripted.asked) == (2, "", [])
    assert "--help)" in done.error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('model = "openai:x"\nmodle = 3\n', ":2: unknown setting modle; did you mean model?"),
        ("[vote]\n\nmots = 3\n", ":3: unknown setting vote.mots; did you mean vote.most?"),
        ('chains = "3"\n', ":1: chains"),
        ("chains = \n", "refiner.toml"),
        ('strategy = "none"\n', 'there is no strategy "none"'),
        ('until = "agre:2"\n', 'did you mean "agree"'),
        ('base_url = "http://127.0.0.1:1/v1"\n', ":1: a project may not set base_url"),
        ('[providers.openai]\napi_key = "x"\n', ":2: a project may not set providers.openai.api_key"),
    ],
)
def test_what_a_project_may_not_say(text: str, message: str, refiner: Program, scripted: Scripted) -> None:
    (refiner.folder / "refiner.toml").write_text(text)
    done = refiner("solve", "Why?")
    assert (done.code, done.out, scripted.asked) == (2, "", [])
    assert message in done.error


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("REFINER_MODLE", "x", "REFINER_MODEL"),
        ("REFINER_VOTE__MOTS", "3", "REFINER_VOTE__MOST"),
        ("REFINER_CHAINS", "three", "REFINER_CHAINS"),
        ("REFINER_DB", "nonsense", "the database's address is not a URL"),
        ("REFINER_DB", "mysql://me:hidden@host/db", "databases of mysql are not supported"),
    ],
)
def test_what_the_environment_may_not_say(name: str, value: str, message: str, refiner: Program) -> None:
    done = refiner.under(**{name: value})("solve", "Why?")
    assert (done.code, done.out) == (2, "")
    assert message in done.error
    assert "hidden" not in done.err


@pytest.mark.parametrize(
    ("model", "variable"), [("openai:gpt-4o", "OPENAI_API_KEY"), ("anthropic:claude-haiku-4-5", "ANTHROPIC_API_KEY")]
)
def test_a_missing_key(model: str, variable: str, refiner: Program, scripted: Scripted) -> None:
    done = refiner.under(OPENAI_BASE_URL=None, **{variable: None})("solve", "Why?", "-m", model)
    assert (done.code, done.out, scripted.asked) == (2, "", [])
    assert variable in done.error


def test_an_error_as_json(refiner: Program) -> None:
    done = refiner("solve", "Why?", "-s", "none", "--json")
    assert done.code == 2
    assert done.json == {"error": {"kind": "usage", "message": done.error, "run": None}}


def test_a_dry_run_spends_and_writes_nothing(refiner: Program, scripted: Scripted) -> None:
    done = refiner("solve", "Why?", "--dry-run", "--json")
    assert refiner("solve", "Why?", "--dry-run", "--jsonl").json == {"type": "result", **done.json}
    assert (done.code, scripted.asked) == (0, [])
    plan = done.json
    assert plan["least"]["calls"] <= plan["expected"]["calls"] <= plan["most"]["calls"]
    assert not refiner.home.exists()
