"""The example file says what the models say."""

import re
import tomllib
from pathlib import Path

from refiner.config.settings import Settings, keys
from refiner.config.template import template

ROOT = Path(__file__).parents[2]


def test_the_committed_example_is_the_generated_one() -> None:
    assert (ROOT / "refiner.toml").read_text(encoding="utf-8") == template(), (
        "run: rm refiner.toml && refiner config init"
    )


def test_uncommented_it_sets_the_defaults() -> None:
    assert tomllib.loads(template()) == {}
    values = tomllib.loads(re.sub(r"^#(?=[a-z\[])", "", template(), flags=re.MULTILINE))
    assert values["vote"] == {"adaptive": True, "least": 3, "most": 6}
    assert Settings.model_validate(values) == Settings()


def test_its_examples_are_valid_too() -> None:
    text = re.sub(r"^# ?(?=[a-z_]+ = |\[)", "", template(), flags=re.MULTILINE)
    settings = Settings.model_validate(tomllib.loads(text))
    assert (settings.max_time, settings.servers["NAME"].api_key_env) == (600.0, "MINE_API_KEY")


def test_every_setting_is_in_it_and_described() -> None:
    text = template()
    for key in keys():
        assert re.search(rf"^# ?(\[[\w.]*{key[-1]}\b|{key[-1]} = )", text, re.MULTILINE) or key == ("providers",), key
    described = re.findall(r"^(.*)\n# ?[a-z_]+ = ", text, re.MULTILINE)
    assert all(line.startswith(("# ", "#[")) for line in described)
    assert all(len(line) <= 120 for line in text.splitlines())
