"""Foreign text in an error: one line, not long, and no key in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.errors import UsageError
from refiner.providers.failures import one_line, parsed_url, retry_after

KEYS = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="-_"), min_size=12, max_size=40)


@given(st.text(), KEYS, st.text(), st.integers(6, 40))
def test_no_part_of_the_key_is_left(before: str, key: str, after: str, shown: int) -> None:
    said = one_line(f"{before}{key[:shown]} and {key} and {key[-shown:]}{after}", key)
    assert key[:shown] not in said
    assert key[-shown:] not in said


@given(st.text(max_size=2000))
def test_one_printable_line_that_is_not_long(text: str) -> None:
    said = one_line(text, "")
    assert said.isprintable()
    assert len(said) <= 300


@given(st.text())
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    seconds = retry_after({"retry-after": value, "retry-after-ms": value})
    assert seconds is None or 0 <= seconds < float("inf")


def test_masked_keys_of_others() -> None:
    assert one_line("key sk-abcdefgh12345678 or abcd****wxyz", "") == "key (key) or (key)"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", ""])
def test_a_base_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="base URL"):
        parsed_url(url)


def test_a_host_is_shown_without_its_password() -> None:
    assert parsed_url("https://user:secret@host:8000/v1").netloc == b"host:8000"
