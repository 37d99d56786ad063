"""The file under repair: what its bytes say survives, and nothing is ever lost."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refiner.app.disk import check_writable
from refiner.app.source import Source, write_to
from refiner.domain.errors import NotFoundError, UsageError

PROGRAM = "# a\ndef add(a, b):\n    return a - b\n\n\nprint(add(1, 2))\n"
MENDED = PROGRAM.replace("a - b", "a + b")


def source(folder: Path, data: bytes | str, name: str = "buggy.py") -> Source:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return Source.read(path)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"x = 1\r\ny = 2\r\n", "x = 1\ny = 2\n"),
        (b"x = 1\ry = 2\r", "x = 1\ny = 2\n"),
        (b"x = 1\r\ny = 2\nz = 3", "x = 1\ny = 2\nz = 3"),
        (b"\xef\xbb\xbfx = '\xc3\xa9'\n", "x = 'é'\n"),
        (b"# coding: latin-1\nx = '\xe9'\n", "# coding: latin-1\nx = 'é'\n"),
        (
            b"#!/bin/x\n# vim: set fileencoding=cp1252 :\nx = '\x80'\n",
            "#!/bin/x\n# vim: set fileencoding=cp1252 :\nx = '€'\n",
        ),
        ("# coding: shift_jis\nx = '表ソ'\n".encode("shift_jis"), "# coding: shift_jis\nx = '表ソ'\n"),
        (b"x = 1\x0c\ny = '\x1c\xe2\x80\xa8'\n", "x = 1\x0c\ny = '\x1c\u2028'\n"),
    ],
)
def test_a_file_is_read_as_it_says(data: bytes, text: str, tmp_path: Path) -> None:
    read = source(tmp_path, data)
    assert read.text == text
    assert read.encode(text) == data
    # A new line changes no byte of the others.
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
    assert all(line.rstrip(b"\r\n") in read.encode(f"{text.rstrip()}\nnew = 1\n") for line in lines)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b"\x7fELF\0", "is binary"),
        (b"x = '\xe9'\n", r"is not UTF-8 \(byte 5\)"),
        (b"\xef\xbb\xbfx = '\xe9'\n", r"is not UTF-8 \(byte 8\)"),
        (b"# coding: ascii\nx = '\xe9'\n", r"is not ascii \(byte 21\)"),
        (b"# coding: klingon\n", 'declares the encoding "klingon"'),
        (b"# coding: rot13\n", 'declares the encoding "rot13"'),
        (b"# coding: undefined\n", 'declares the encoding "undefined"'),
        (b"\xef\xbb\xbf# coding: latin-1\n", "byte order mark"),
        (b"x" * 8_000_001, "larger than 8,000,000 bytes"),
    ],
)
def test_what_cannot_be_read(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        source(tmp_path, data)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no file"):
        Source.read(tmp_path / "none.py")
    with pytest.raises(UsageError, match="is a folder"):
        Source.read(tmp_path)


@pytest.mark.parametrize(
    ("data", "text", "wanted"),
    [
        (b"a\r\nb\r\n", "a\nc\n", b"a\r\nc\r\n"),
        (b"a\r\nb\r\nc\n", "a\nx\nc\n", b"a\r\nx\r\nc\n"),
        (b"a\nb\r\nc\n", "b\nc\n", b"b\r\nc\n"),
        (b"a\nb", "a\nc\n", b"a\nc"),
        (b"a\nb", "a\nb\nc\n", b"a\nb\nc"),
        (b"a\n\n\n", "b", b"b\n\n\n"),
        (b"a\r\n\r\n\n", "b\n", b"b\r\n\r\n\n"),
        (b"\xef\xbb\xbfa\n", "\ufeffb\r\n", b"\xef\xbb\xbfb\n"),
        (
            b"# coding: latin-1\na = '\xe9'\n",
            "# coding: latin-1\na = '\xe9→'\n",
            b"# coding: latin-1\na = '\xe9\\u2192'\n",
        ),
        (b"# coding: latin-1\na = '\xe9'\n", "a = '\xe9'\n", b"a = '\xc3\xa9'\n"),
        (b"a\n", "\ud800\n", b"\\ud800\n"),
        (b"a\rb\rc\r\n\n", "a\nb\nd\n\nc\n", b"a\rb\rd\r\rc\r\n\n"),
        (b"a\rb\rc\r\n\nd\r", "a\nb\n\nd", b"a\rb\r\n\nd\r"),
    ],
)
def test_a_new_text_is_written_like_the_old_one(data: bytes, text: str, wanted: bytes, tmp_path: Path) -> None:
    assert source(tmp_path, data).encode(text) == wanted


ENDED = st.tuples(st.sampled_from(["x = 1", "\ty", "    é", "", "y = '→'"]), st.sampled_from(["\n", "\r\n", "\r"]))


@given(lines=st.lists(ENDED, min_size=1, max_size=30), mark=st.booleans(), ended=st.booleans(), at=st.integers(0, 40))
def test_unchanged_lines_stay_byte_by_byte(
    lines: list[tuple[str, str]], mark: bool, ended: bool, at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    joined = "".join(text + end for text, end in lines)
    joined = joined if ended else joined.rstrip("\r\n")
    assume(joined.strip())
    path = tmp_path_factory.getbasetemp() / "lines.py"
    path.write_bytes(joined.encode("utf-8-sig" if mark else "utf-8"))
    read = Source.read(path)
    assert read.encode(read.text) == read.data
    body = read.text.rstrip("\n").split("\n")
    body.insert(min(at, len(body) - 1), "unheard = 'of'")
    made = read.encode("\n".join(body))
    before, after = made.split(b"unheard = 'of'")
    endings = (b"\r\n", b"\n", b"\r")
    assert read.data in [before + after.removeprefix(end) for end in endings if after.startswith(end)]


def test_twenty_thousand_lines_with_one_changed(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + b"".join(
        b"\tx%d = 1  # \xc3\xa9%s" % (at % 50, (b"\r\n", b"\n")[at % 3 == 0]) for at in range(20_000)
    )
    read = source(tmp_path, data)
    lines = read.text.split("\n")
    lines[9_998] = "changed"
    made = read.encode("\n".join(lines)).split(b"\n")
    old = data.split(b"\n")
    assert [at for at, line in enumerate(made) if line != old[at]] == [9_998]
    assert read.patch("\n".join(lines)).count(b"\n-") == 2


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (PROGRAM.encode(), MENDED),
        (PROGRAM.replace("\n", "\r\n").encode(), MENDED),
        (b"\xef\xbb\xbf" + PROGRAM.encode(), MENDED),
        (b"a\nb", "a\nc"),
        (b"a\nb", "c\nb"),
        (b"a\r\nb\n\x0c\xe2\x80\xa8c", "a\nb\nd"),
        (b"a\n", "b"),
        (b"# coding: latin-1\nx = '\xe9'\ny\n", "# coding: latin-1\nx = '\xe9'\nz\n"),
        (
            b"".join(b"%d\n" % at for at in range(100)),
            "".join(f"{at if at not in (5, 80) else 'x'}\n" for at in range(100)),
        ),
    ],
)
@pytest.mark.parametrize("name", ["buggy.py", "pkg/a b.py", 'pkg/é"\\.py'])
@pytest.mark.parametrize("repository", [True, False])
def test_git_applies_the_patch(
    data: bytes, text: str, name: str, repository: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pkg").mkdir()
    if repository:
        git(tmp_path, "init")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    read = source(Path(), data, name)
    (tmp_path / "x.patch").write_bytes(read.patch(text))
    git(tmp_path, "apply", "--whitespace=nowarn", "x.patch")
    assert (tmp_path / name).read_bytes() == read.encode(text)


def test_in_a_folder_of_a_repository_the_patch_applies_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "pkg" / "pkg"
    inner.mkdir(parents=True)
    git(tmp_path, "init")
    monkeypatch.chdir(tmp_path / "pkg")
    read = source(Path("pkg"), PROGRAM)
    (tmp_path / "x.patch").write_bytes(read.patch(MENDED))
    git(tmp_path / "pkg", "apply", "../x.patch")
    assert (inner / "buggy.py").read_text() == MENDED


def test_nothing_changed_is_no_patch(tmp_path: Path) -> None:
    assert source(tmp_path, PROGRAM).patch(PROGRAM) == b""


def test_writing_back_keeps_mode_link_and_backups(tmp_path: Path) -> None:
    read = source(tmp_path, PROGRAM, "real.py")
    read.path.chmod(0o750)
    (tmp_path / "real.py.orig").write_text("mine")
    link = tmp_path / "link.py"
    link.symlink_to("real.py")
    linked = Source.read(link)
    with linked.locked():
        assert linked.write_back(MENDED) == tmp_path / "real.py.orig.1"
    assert link.is_symlink()
    assert read.path.read_text() == MENDED
    assert stat.S_IMODE(read.path.stat().st_mode) == 0o750
    assert (tmp_path / "real.py.orig").read_text() == "mine"
    assert (tmp_path / "real.py.orig.1").read_text() == PROGRAM
    assert stat.S_IMODE((tmp_path / "real.py.orig.1").stat().st_mode) == 0o750
    assert len([*tmp_path.iterdir()]) == 4


def test_no_backup_when_told_and_none_for_no_change(tmp_path: Path) -> None:
    read = source(tmp_path, PROGRAM)
    assert read.write_back(PROGRAM) is None
    assert read.write_back(MENDED, backup=False) is None
    assert [path.name for path in tmp_path.iterdir()] == ["buggy.py"]
    assert read.path.read_text() == MENDED


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_the_owner_is_kept(tmp_path: Path) -> None:
    read = source(tmp_path, PROGRAM)
    os.chown(read.path, 65534, 65534)
    read.check_writable()
    read.write_back(MENDED)
    assert (read.path.stat().st_uid, read.path.stat().st_gid) == (65534, 65534)


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    read = source(tmp_path, PROGRAM)
    read.path.write_text("mine\n")
    with pytest.raises(UsageError, match="was changed since"):
        read.write_back(MENDED)
    with pytest.raises(UsageError, match="was changed since"), read.locked():
        pass
    assert read.path.read_text() == "mine\n"
    read.path.unlink()
    with pytest.raises(UsageError, match="cannot be read any more"):
        read.write_back(MENDED)
    assert [*tmp_path.iterdir()] == []


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    one = source(tmp_path, PROGRAM)
    two = Source.read(one.path)
    with one.locked():
        with pytest.raises(UsageError, match="another refiner is repairing"), two.locked():
            pass
        one.write_back(MENDED)
    with pytest.raises(UsageError, match="was changed since"), two.locked():
        pass
    with Source.read(one.path).locked():
        pass


def test_a_failed_replacement_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = source(tmp_path, PROGRAM)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match=r"cannot be written: No space left"):
        read.write_back(MENDED)
    assert read.path.read_text() == PROGRAM
    assert [*tmp_path.iterdir()] == [read.path]


def test_what_cannot_be_written_is_known_beforehand(tmp_path: Path) -> None:
    read = source(tmp_path, PROGRAM)
    read.check_writable()
    check_writable(tmp_path / "new.py")
    check_writable(Path(os.devnull))
    for path, message in [
        (tmp_path / "no" / "x.py", "No such file"),
        (tmp_path, "is a folder"),
        (Path("/proc/x.py"), "cannot"),
    ]:
        with pytest.raises(UsageError, match=message):
            check_writable(path)
    assert [*tmp_path.iterdir()] == [read.path]


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """A folder of somebody's who may not write anywhere; root becomes such a one for the time."""
    with TemporaryDirectory() as folder:
        root = os.geteuid() == 0
        if root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


def test_a_read_only_file_or_folder_is_known_beforehand() -> None:
    with ordinary_user() as folder:
        read = source(folder, PROGRAM)
        read.path.chmod(0o444)
        with pytest.raises(UsageError, match="Permission denied"):
            read.check_writable()
        read.path.chmod(0o644)
        folder.chmod(0o555)
        with pytest.raises(UsageError, match="Permission denied"):
            read.check_writable()
        folder.chmod(0o755)


def test_writing_elsewhere(tmp_path: Path) -> None:
    read = source(tmp_path, PROGRAM.replace("\n", "\r\n"))
    read.path.chmod(0o755)
    write_to(tmp_path / "new.py", MENDED, read)
    assert (tmp_path / "new.py").read_bytes() == MENDED.replace("\n", "\r\n").encode()
    assert stat.S_IMODE((tmp_path / "new.py").stat().st_mode) == 0o755
    old = tmp_path / "old.py"
    old.write_text("old")
    old.chmod(0o640)
    write_to(old, MENDED)
    assert old.read_text() == MENDED
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    write_to(Path(os.devnull), MENDED)
    assert not Path(os.devnull).is_file()
    with pytest.raises(UsageError, match="No such file"):
        write_to(tmp_path / "no" / "x.py", MENDED)


def test_the_language_is_that_of_the_name(tmp_path: Path) -> None:
    assert source(tmp_path, "x", "a.js").language == "javascript"
    assert source(tmp_path, "x", "a.py").language == "python"
    assert source(tmp_path, "x", "a").language == "python"
