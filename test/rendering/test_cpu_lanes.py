from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_lanes import WIDTH, bits, larger, lowest, magnitude, ramp, root, smaller, total
from gs_sim.rendering.cpu_lanes_memory import exp2, load, log2, store
from gs_sim.rendering.cpu_lanes_shuffle import load3, store3, totals, turn
from gs_sim.rendering.cpu_runtime import INLINE, cache_folder

Floats = npt.NDArray[np.float32]


@numba.njit(**INLINE)
def _map(values: Floats, out: Floats, function: int) -> None:
    for i in range(0, values.shape[0], WIDTH):
        x = load(values, i)
        if function == 0:
            store(out, i, exp2(x))
        elif function == 1:
            store(out, i, log2(x))
        elif function == 2:
            store(out, i, root(magnitude(x)))
        else:
            store(out, i, smaller(larger(x, np.float32(-1)), np.float32(1)))


@numba.njit(**INLINE)
def _add_and_compare(values: Floats) -> tuple[float, int, int]:
    x = load(values, 0) + ramp()
    return total(x), bits(x > np.float32(3)), lowest(bits(x > np.float32(3)))


@numba.njit(**INLINE)
def _swap_first_and_last(triples: Floats) -> None:
    a, b, c = load3(triples, 0)
    store3(triples, 0, (c, b, a))


@numba.njit(**INLINE)
def _turn_and_sum(square: Floats, turned: Floats, sums: Floats) -> None:
    turn(square, (0, WIDTH), turned, (0, WIDTH))
    store(sums, 0, totals((load(square, 0), load(square, WIDTH), load(square, 2 * WIDTH))))


def mapped(values: Floats, function: int) -> npt.NDArray[np.float64]:
    out = np.zeros_like(values)
    _map(values, out, function)
    return out.astype(np.float64)


def test_two_to_a_power_is_good_to_single_precision() -> None:
    x = np.linspace(-126, 126, 16000, dtype=np.float32)
    assert np.abs(mapped(x, 0) / np.exp2(x.astype(np.float64)) - 1).max() < 3e-7


def test_logarithm_is_good_to_single_precision_near_one_too() -> None:
    x = np.concatenate([np.geomspace(1e-30, 1e30, 8000), np.linspace(0.9, 1.1, 8000)]).astype(np.float32)
    expected = np.log2(x.astype(np.float64))
    assert (np.abs(mapped(x, 1) - expected) <= 3e-7 * np.maximum(np.abs(expected), 1)).all()
    near_one = np.abs(expected) > 1e-6
    assert np.abs(mapped(x, 1) / np.where(near_one, expected, 1) - 1)[near_one].max() < 1e-5


def test_what_is_not_a_number_stays_so_when_clamped() -> None:
    x = np.array([np.nan, -5, 0.5, 7] * 4, dtype=np.float32)
    np.testing.assert_array_equal(mapped(x, 3), np.array([np.nan, -1, 0.5, 1] * 4))
    assert np.isnan(mapped(x, 0)[0])


def test_lanes_are_summed_and_compared() -> None:
    assert _add_and_compare(np.zeros(WIDTH, np.float32)) == (120, 0xFFF0, 4)


def test_triples_are_taken_apart_and_put_together() -> None:
    triples = np.arange(3 * WIDTH, dtype=np.float32)
    expected = triples.reshape(-1, 3)[:, ::-1].ravel().copy()
    _swap_first_and_last(triples)
    np.testing.assert_array_equal(triples, expected)


def test_a_square_is_turned_and_rows_are_summed() -> None:
    square = np.arange(WIDTH * WIDTH, dtype=np.float32)
    turned, sums = np.zeros_like(square), np.zeros(WIDTH, np.float32)
    _turn_and_sum(square, turned, sums)
    np.testing.assert_array_equal(turned.reshape(WIDTH, WIDTH), square.reshape(WIDTH, WIDTH).T)
    np.testing.assert_array_equal(sums[:3], square.reshape(WIDTH, WIDTH).sum(axis=1)[:3])
    assert sums[3:].max() == 0


def test_compiled_kernels_are_kept_apart_for_each_version_of_their_sources(tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text("@numba.njit  # one", encoding="utf-8")
    (tmp_path / "other.py").write_text("no kernel", encoding="utf-8")
    before = cache_folder(tmp_path)
    (tmp_path / "other.py").write_text("no kernel at all", encoding="utf-8")
    assert cache_folder(tmp_path) == before
    (tmp_path / "kernel.py").write_text("@numba.njit  # two", encoding="utf-8")
    assert cache_folder(tmp_path) != before
