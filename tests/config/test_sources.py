"""Precedence, where values come from, and what is refused."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import refiner
from refiner.config.settings import Settings, seconds
from refiner.config.shown import shown
from refiner.config.sources import Loaded, load
from refiner.domain.errors import NotFoundError, UsageError

KEY = "sk-0123456789abcdef"


class Place:
    """A home with the user's settings and a project below it."""

    def __init__(self, root: Path) -> None:
        self.user = root / "home" / "config" / "config.toml"
        self.project = root / "work" / "refiner.toml"
        self.below = root / "work" / "deep" / "down"
        self.user.parent.mkdir(parents=True)
        self.below.mkdir(parents=True)
        self._environ = {"REFINER_HOME": str(root / "home")}

    def load(
        self,
        flags: Mapping[str, object] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        sets: Sequence[str] = (),
        config: Path | None = None,
    ) -> Loaded:
        return load(flags, config=config, sets=sets, cwd=self.below, environ={**self._environ, **(environ or {})})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_defaults_need_no_file(place: Place) -> None:
    loaded = place.load()
    assert loaded.settings == Settings()
    assert loaded.files == ()
    assert set(loaded.sources.values()) == {"default"}


def test_precedence_and_sources(place: Place) -> None:
    place.user.write_text("chains = 1\nseed = 1\npatience = 1\ntarget = 0.1\n[vote]\nmost = 9\n")
    place.project.write_text("# mine\nseed = 2\npatience = 2\ntarget = 0.2\n\n[vote]\nleast = 2\n")
    loaded = place.load(
        {"target": "0.5", "model": None},
        environ={"REFINER_PATIENCE": "3", "REFINER_TARGET": "0.3"},
        sets=["target=0.4"],
    )
    settings = loaded.settings
    assert (settings.chains, settings.seed, settings.patience, settings.target) == (1, 2, 3, 0.5)
    assert (settings.vote.least, settings.vote.most) == (2, 9)
    assert loaded.files == (place.user, place.project)
    assert {key: loaded.sources[key] for key in ("chains", "seed", "patience", "target", "vote.least", "model")} == {
        "chains": f"{place.user}:1",
        "seed": f"{place.project}:2",
        "patience": "REFINER_PATIENCE",
        "target": "--target",
        "vote.least": f"{place.project}:7",
        "model": "default",
    }


def test_sets_beat_the_environment(place: Place) -> None:
    loaded = place.load(environ={"REFINER_VOTE__MOST": "7"}, sets=["vote.most=8", "policies.fast=calls:2"])
    assert loaded.settings.vote.most == 8
    assert loaded.sources["vote.most"] == "--set vote.most"
    assert loaded.settings.policies == {"fast": "calls:2"}


def test_the_environment_nests_and_types(place: Place) -> None:
    environ = {
        "REFINER_VOTE__ADAPTIVE": "false",
        "REFINER_MAX_TIME": "1h30m",
        "REFINER_SERVERS__MINE__BASE_URL": "http://localhost:1/v1",
        "REFINER_MODEL": "",
        "REFINER_DB": "sqlite:////tmp/other.db",
        "REFINER_SOCKET": "/tmp/s",
        "REFINER_SHARED": "/tmp/t",
    }
    loaded = place.load(environ=environ)
    settings = loaded.settings
    assert (settings.vote.adaptive, settings.max_time, settings.model) == (False, 5400.0, "auto")
    assert settings.servers["mine"].base_url == "http://localhost:1/v1"
    assert loaded.paths.database == "sqlite:////tmp/other.db"
    assert loaded.sources["store.url"] == "REFINER_DB"


def test_config_replaces_the_projects_file(place: Place, tmp_path: Path) -> None:
    place.project.write_text("seed = 2\n")
    mine = tmp_path / "mine.toml"
    mine.write_text('base_url = "http://localhost:9/v1"\n')
    loaded = place.load(config=mine)
    assert (loaded.settings.seed, loaded.settings.base_url) == (0, "http://localhost:9/v1")
    with pytest.raises(NotFoundError, match=r"there is no file .*none\.toml"):
        place.load(config=tmp_path / "none.toml")


def test_folders_are_relative_to_their_file(place: Place) -> None:
    place.project.write_text('[prompts]\nfolder = "texts"\n')
    assert place.load().settings.prompts.folder == place.project.parent / "texts"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 1\nmax_cots = 1\n", ":2: unknown setting max_cots; did you mean max_cost?"),
        ("[vote]\nadaptive = true\nleest = 2\n", ":3: unknown setting vote.leest; did you mean vote.least?"),
        ("adaptive = true\n", ":1: unknown setting adaptive; did you mean vote.adaptive?"),
        (
            "\n[servers.mine]\nbase_ur = 'x'\n",
            ":3: unknown setting servers.mine.base_ur; did you mean servers.mine.base_url?",
        ),
        ("qqqqq = 1\n", ":1: unknown setting qqqqq"),
        ("[votes]\n", ":1: unknown setting votes; did you mean vote?"),
        ("seed = 1\nchains = '3'\n", ":2: chains should be a valid integer"),
        ("chains = 0\n", ":1: chains should be greater than or equal to 1"),
        ("vote = 3\n", ":1: vote should be a table"),
        ("policies = 3\n", ":1: policies should be a table"),
        ("trusted = 'x'\n", ":1: trusted should be a list"),
        ("trusted = [\n '/a',\n 3]\n", ":1: trusted.1 should be a path"),
        ("color = 'red'\n", ":1: color should be 'auto', 'always' or 'never'"),
        ("max_time = 'soon'\n", ':1: max_time is not a duration such as "90s", "10m" or "1h30m"'),
        ("max_cost = nan\n", ":1: max_cost should be a finite number"),
        ("until = '''\nchains = 7\n'''\nchains = 'x'\n", ":4: chains should be a valid integer"),
        ("seed = \n", ": Invalid value (at line 1, column 8)"),
        ("seed = 1\nuntil = [", ": Invalid value (at line 2, the end of the file)"),
    ],
)
def test_what_cannot_be_used_names_file_line_and_key(place: Place, text: str, message: str) -> None:
    place.user.write_text(text)
    with pytest.raises(UsageError) as caught:
        place.load()
    assert str(caught.value) == f"{place.user}{message}"


def test_further_problems_are_counted(place: Place) -> None:
    place.user.write_text("chains = 0\nseed = 'x'\n")
    with pytest.raises(UsageError, match=r"\(and 1 more\)$"):
        place.load()


@pytest.mark.parametrize(
    ("content", "message"), [(b"seed = 1\n# \xff\n", "is not UTF-8 text (byte 11)"), (None, "Is a directory")]
)
def test_files_that_are_no_text(place: Place, content: bytes | None, message: str) -> None:
    if content is None:
        place.project.mkdir()
    else:
        place.project.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        place.load()
    assert str(place.project) in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"REFINER_MODLE": "x"}, "unknown setting REFINER_MODLE; did you mean REFINER_MODEL?"),
        ({"REFINER_VOTE__MOSTLY": "x"}, "unknown setting REFINER_VOTE__MOSTLY; did you mean REFINER_VOTE__MOST?"),
        ({"REFINER_CHAINS": "x"}, "REFINER_CHAINS should be a valid integer, unable to parse string as an integer"),
        ({"REFINER_TRUSTED": "/a"}, "REFINER_TRUSTED should be a list"),
    ],
)
def test_variables_that_are_no_settings(place: Place, environ: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        place.load(environ=environ)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["vote.most", "=3", f"{KEY}"])
def test_a_malformed_set_is_not_repeated(place: Place, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        place.load(sets=[text])
    assert str(caught.value) == "--set takes KEY=VALUE, such as --set vote.most=5"


def test_contradictions_between_sources(place: Place) -> None:
    place.user.write_text("[vote]\nmost = 4\n")
    with pytest.raises(UsageError, match=r"vote\.least \(5\) is above vote\.most \(4\)"):
        place.load(sets=["vote.least=5"])
    assert place.load(sets=["vote.least=9", "vote.most=9"]).settings.vote.least == 9
    with pytest.raises(UsageError, match=r"servers\.mine has no base_url"):
        place.load(sets=["servers.mine.api_key_env=X"])


def test_an_address_at_which_no_model_is_asked(place: Place) -> None:
    place.user.write_text('base_url = "http://mine/v1"\nmodel = "anthropic:claude"\n')
    place.load({"critic_model": "openai:mine", "base_url": "http://other/v1"})
    loaded = place.load({"model": "local"})  # a file may well name what another model needs
    for flags, sets in (({"base_url": "http://other"}, ()), ({}, ["base_url=http://other"])):
        with pytest.raises(UsageError, match=r"base.url is for a model such as openai:NAME, and anthropic:claude is"):
            place.load(flags, sets=sets)
    with pytest.raises(UsageError, match="base_url is for"):
        loaded.for_task({"base_url": "http://other"})


GUARDED = {
    "base_url": 'base_url = "http://evil/v1"\n',
    "providers.openai.api_key": f'[providers.openai]\napi_key = "{KEY}"\n',
    "providers.anthropic.base_url": '[providers.anthropic]\nbase_url = "http://evil"\n',
    "servers.mine.base_url": '[servers.mine]\nbase_url = "http://evil"\n',
    "servers.mine.api_key_env": '[servers.mine]\napi_key_env = "AWS_SECRET"\n',
    "store.url": '[store]\nurl = "postgresql://evil/db"\n',
    "local.models": '[local]\nmodels = "/evil"\n',
    "upkeep.keep_days": "[upkeep]\nkeep_days = 0.1\n",
    "schedules.mine.cron": '[schedules.mine]\ncron = "* * * * *"\n',
    "confirm_above": "confirm_above = 1000.0\n",
}


@pytest.mark.parametrize("key", GUARDED)
def test_a_project_cannot_redirect_keys_prompts_or_money(place: Place, key: str) -> None:
    place.project.write_text(GUARDED[key])
    with pytest.raises(UsageError) as caught:
        place.load()
    said = str(caught.value)
    assert f"a project may not set {key}" in said
    assert f"{place.project}:" in said
    assert f'add "{place.project.parent}" to trusted in {place.user}' in said
    assert KEY not in said
    place.user.write_text(f'trusted = ["{place.project.parent.parent}"]\n[servers.mine]\nbase_url = "http://mine"\n')
    assert place.load().sources[key].startswith(str(place.project))


def test_trust_does_not_reach_beside_or_come_from_elsewhere(place: Place) -> None:
    place.project.write_text(GUARDED["base_url"])
    place.user.write_text(
        f'trusted = ["{place.project.parent}-other", "{place.below}", "{str(place.project.parent)[:-1]}"]\n'
    )
    with pytest.raises(UsageError, match="a project may not set base_url"):
        place.load()
    place.project.write_text('trusted = ["/"]\n')
    with pytest.raises(UsageError, match=r"refiner\.toml:1: trusted can only be set in the user's own file"):
        place.load()


def test_two_files_of_the_user_are_one_too_many(place: Place) -> None:
    place.user.touch()
    (place.user.parent / "refiner.toml").touch()
    with pytest.raises(UsageError, match="keep one of them"):
        place.load()


def test_keys_are_in_no_text_of_the_settings(place: Place) -> None:
    settings = place.load(
        environ={"REFINER_PROVIDERS__OPENAI__API_KEY": KEY, "REFINER_DB": f"postgresql://me:{KEY}@host/db"},
    ).settings
    assert settings.providers.openai.api_key is not None
    assert settings.providers.openai.api_key.get_secret_value() == KEY
    assert KEY not in repr(settings.providers)
    assert KEY not in str(shown(settings))


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(hours: int, minutes: int, rest: int) -> None:
    assert seconds(f"{hours}h{minutes}m{rest}s") == hours * 3600 + minutes * 60 + rest


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"max_cots": 1}, "unknown setting max_cots; did you mean max_cost?"),
        ({"vote": {"most": 0}}, "vote.most should be greater than or equal to 1"),
    ],
)
def test_a_call_of_the_library_hears_of_its_own_keywords(keywords: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        refiner.solve_sync("q", **keywords)
    assert str(refused.value) == said
