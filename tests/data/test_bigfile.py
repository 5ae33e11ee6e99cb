"""BigFile folders, against files written by hand and a reader that takes a row at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.bigfile import BigFile
from polymatch.errors import DataError

NAMES = ["b", "video0_1", "caf\xe9", "a\x85b", "\xa0", "0"]
NUMBERS = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)


def write(folder, names=NAMES, numbers=NUMBERS, shape="6 5\n", between="\n"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "feature.bin").write_bytes(numbers.astype("<f4").tobytes())
    (folder / "id.txt").write_bytes(between.join(names).encode("iso-8859-1"))
    (folder / "shape.txt").write_text(shape)
    return folder


@pytest.mark.parametrize("between", ["\n", " ", "\r\n", " \t\n\n "])
def test_names_are_parted_by_white_space_of_ascii_alone(tmp_path, between):
    bigfile = BigFile.open(write(tmp_path, between=between))
    assert bigfile.ids == NAMES and len(bigfile) == 6 and bigfile.dims == 5
    assert "caf\xe9" in bigfile and "caf" not in bigfile
    assert bigfile.rows_of(["0", "b", "0"]).tolist() == [5, 0, 5]
    assert bigfile.rows_of([]).tolist() == [] and bigfile.take([]).shape == (0, 5)


@given(rows=st.lists(st.integers(0, 5), max_size=20))
def test_rows_come_in_the_order_asked_for_bit_for_bit(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("bigfile")
    numbers = NUMBERS.copy()
    numbers[1, 1], numbers[2, 2], numbers[3, 3] = np.nan, -np.inf, -0.0
    taken = BigFile.open(write(folder, numbers=numbers)).take(rows)
    raw = (folder / "feature.bin").read_bytes()
    assert taken.dtype == np.float32 and taken.shape == (len(rows), 5)
    assert taken.tobytes() == b"".join(raw[20 * row : 20 * (row + 1)] for row in rows)


def test_neighbours_are_read_at_once(tmp_path):
    bigfile = BigFile.open(write(tmp_path))
    wanted = np.array([3, 4, 5, 0, 1, 1, 2])
    assert np.array_equal(bigfile.take(wanted), NUMBERS[wanted])
    bigfile.path.write_bytes(bigfile.path.read_bytes()[:60])
    assert np.array_equal(bigfile.take([2, 1, 0]), NUMBERS[[2, 1, 0]])
    with pytest.raises(DataError, match=r"feature\.bin: ends early; copy it again$"):
        bigfile.take([0, 4])


FAULTS = {
    "fewer ids": (
        {"names": NAMES[:5]},
        "id.txt: 5 ids, but shape.txt says 6 rows; there must be one id for each row, in order",
    ),
    "an id twice": (
        {"names": ["b", "c", "d", "c", "e", "f"]},
        "id.txt: id 4 is 'c', as id 2 is already; give every row an id of its own",
    ),
    "a truncated array": (
        {"numbers": NUMBERS.ravel()[:-1]},
        "feature.bin: 116 bytes, but shape.txt says 6 rows of 5 float32, which are 120; copy it "
        "again or correct shape.txt",
    ),
    "an array that is too long": (
        {"numbers": np.pad(NUMBERS.ravel(), (0, 1))},
        "feature.bin: 124 bytes, but shape.txt says 6 rows of 5 float32, which are 120; copy it "
        "again or correct shape.txt",
    ),
    "another width": (
        {"shape": "6 7"},
        "feature.bin: 120 bytes, which would fit rows of 5, but shape.txt says 6 rows of 7 "
        "float32, which are 168; copy it again or correct shape.txt",
    ),
    "no array": (
        {"numbers": NUMBERS[:0]},
        "feature.bin: 0 bytes, but shape.txt says 6 rows of 5 float32, which are 120; copy it "
        "again or correct shape.txt",
    ),
}
SHAPES = ["", "6", "6 5 4", "6x5", "6 -5", "0 5", "6 0", "six five", "6 5.0", "6 \u0665"]


@pytest.mark.parametrize(("changes", "message"), FAULTS.values(), ids=FAULTS)
def test_files_that_do_not_fit_are_named(tmp_path, changes, message):
    with pytest.raises(DataError) as caught:
        BigFile.open(write(tmp_path, **changes))
    assert str(caught.value) == f"{tmp_path}/{message}"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_two_whole_numbers(tmp_path, shape):
    write(tmp_path)
    (tmp_path / "shape.txt").write_text(shape, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        BigFile.open(tmp_path)
    shown = shape.encode().decode("iso-8859-1").strip()
    assert str(caught.value) == (
        f"{tmp_path}/shape.txt: its first line is {shown!r}, not two whole numbers above 0, rows "
        "and columns; correct it"
    )


def test_only_the_first_line_of_the_shape_counts(tmp_path):
    assert BigFile.open(write(tmp_path, shape=" 6\t5 \nmade on a Monday\n")).dims == 5


@pytest.mark.parametrize("name", ["feature.bin", "id.txt", "shape.txt"])
def test_a_missing_file_is_named(tmp_path, name):
    (write(tmp_path) / name).unlink()
    with pytest.raises(DataError) as caught:
        BigFile.open(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/{name}: no such file; a BigFile folder holds feature.bin, id.txt, shape.txt"
    )


def test_names_and_rows_that_are_not_there(tmp_path):
    bigfile = BigFile.open(write(tmp_path))
    with pytest.raises(DataError) as caught:
        bigfile.rows_of(["b", "z", "y"])
    assert str(caught.value) == (
        f"{tmp_path}/id.txt: 2 of 3 ids are not there, e.g. 'z'; ask for others or add their rows"
    )
    for row in (-1, 6):
        with pytest.raises(DataError) as caught:
            bigfile.take([0, row])
        assert str(caught.value) == (
            f"{tmp_path}/feature.bin: there is no row {row}; its 6 rows are counted from 0"
        )
