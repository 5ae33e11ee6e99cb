"""Matrices in foreign files: the blockwise mean against the obvious one, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import DataError, NumericsError
from polymatch.evaluation import matrices
from polymatch.evaluation.matrices import matrix_shape, mean_matrix, read_ids


def saved(path, array):
    np.save(path, array)
    return path


def mean_of(paths, rows, columns):
    n_rows, n_columns = matrix_shape(paths)
    names = [f"i{row}" for row in range(n_rows)], [f"c{column}" for column in range(n_columns)]
    return mean_matrix(paths, np.array(rows), np.array(columns), *names)


@given(
    st.lists(st.sampled_from(["float16", "float32", "float64"]), min_size=1, max_size=3),
    st.integers(1, 7),
    st.integers(1, 9),
    st.integers(1, 4),
    st.booleans(),
    st.randoms(),
)
def test_it_is_the_mean_in_the_order_asked_for(
    tmp_path_factory, dtypes, n, m, rows_a_block, fortran, random
):
    folder = tmp_path_factory.mktemp("matrices")
    draw = np.random.default_rng(random.randrange(2**32))
    arrays = [draw.normal(size=(n, m)).astype(dtype) for dtype in dtypes]
    paths = [
        saved(folder / f"{number}.npy", np.asfortranarray(array) if fortran else array)
        for number, array in enumerate(arrays)
    ]
    rows = draw.permutation(n)[: random.randint(1, n)]
    columns = draw.permutation(m)[: random.randint(1, m)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrices, "_BLOCK_BYTES", 8 * m * rows_a_block)
        found = mean_of(paths, rows, columns)
    expected = np.mean([array.astype(np.float64) for array in arrays], axis=0)
    assert found.dtype == (np.float64 if "float64" in dtypes else np.float32)
    np.testing.assert_allclose(found, expected[rows][:, columns], rtol=1e-6, atol=1e-7)
    if len(paths) == 1:
        np.testing.assert_array_equal(found, arrays[0][rows][:, columns])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_number_is_named_by_its_ids_wherever_it_stands(tmp_path, bad):
    array = np.zeros((4, 3), np.float32)
    array[2, 1] = bad
    path = saved(tmp_path / "m.npy", array)
    message = (
        f"{path}: holds {bad} at row 2, column 1 (counted from 0): item 'i2', caption 'c1'; "
        "similarities are finite numbers"
    )
    with pytest.raises(NumericsError, match=re.escape(message)):
        mean_of([path], [3, 2, 1, 0], [0])  # also in a column that is not ranked


def test_matrices_of_different_shapes_are_not_averaged(tmp_path):
    first, second = tmp_path / "a.npy", tmp_path / "b.npy"
    saved(first, np.zeros((2, 3))), saved(second, np.zeros((2, 4)))
    message = f"{second}: has shape (2, 4), but {first} has (2, 3); only matrices of the same"
    with pytest.raises(DataError, match=re.escape(message)):
        matrix_shape([first, second])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), ": has shape (3,); a similarity matrix is items x captions"),
        (np.zeros((2, 2), np.int64), ": holds int64; save it as one of float16, float32, float64"),
        (np.zeros((2, 2), complex), ": holds complex128; save it as one of float16, float32"),
        (np.array([[{}]], object), ": not a whole .npy file of numbers (Array can't be memory-map"),
    ],
)
def test_what_is_no_matrix_of_floats_is_refused(tmp_path, array, message):
    path = tmp_path / "m.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=re.escape(f"{path}{message}")):
        matrix_shape([path])


@pytest.mark.parametrize("content", [b"", b"0.1 0.2\n", b"\x93NUMPY\x01\x00"])
def test_what_is_no_npy_file_is_refused(tmp_path, content):
    path = tmp_path / "m.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}: not a whole .npy file of numbers (")):
        matrix_shape([path])


def test_a_truncated_matrix_is_refused(tmp_path):
    path = saved(tmp_path / "m.npy", np.zeros((10, 10)))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"not a whole \.npy file of numbers"):
        matrix_shape([path])


def test_a_missing_matrix_is_named(tmp_path):
    message = f"{tmp_path}/no.npy: no such file; it is to hold a similarity matrix, items x capt"
    with pytest.raises(DataError, match=re.escape(message)):
        matrix_shape([tmp_path / "no.npy"])


def test_ids_are_the_lines_of_a_text_file(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_bytes("\ufeffa.jpg\r\n b 1 \nß\n\n\n".encode())
    assert read_ids(path) == (str(path), ["a.jpg", "b 1", "ß"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\nb\n", ": line 2 is empty; write one id a line"),
        (b"\n \n", ": holds no id; write one a line"),
        (b"\x93NUMPY\xff", ": not a text file of ids, one a line ('utf-8' codec can't decode"),
        (None, ": no such file; it is to hold one id a line"),
    ],
)
def test_a_bad_file_of_ids_is_refused(tmp_path, content, message):
    path = tmp_path / "ids.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}{message}")):
        read_ids(path)
