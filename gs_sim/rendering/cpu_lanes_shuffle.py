"""Lanes across lanes: records of a few floats taken apart and put together, squares of 16 x 16 turned, many sums at once."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from gs_sim.rendering.cpu_lanes import FLOATS, INT, LANES, WIDTH
from gs_sim.rendering.cpu_lanes_memory import address


def _shuffle(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, order: list[int]) -> ir.Value:
    """Lanes of a (0 to 15) and b (16 to 31) in another order."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT, len(order)), order))


def _load_parts(count: int) -> Callable[..., Any]:
    def function(typing_context: Any, array: Any, start: Any) -> Any:
        del typing_context, start

        def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            records = ir.VectorType(FLOATS.element, count * WIDTH)
            place = builder.bitcast(address(context, builder, sig, args), records.as_pointer())
            value = builder.load(place, align=4)
            parts = [_shuffle(builder, value, value, list(range(c, count * WIDTH, count))) for c in range(count)]
            return context.make_tuple(builder, sig.return_type, parts)

        return types.UniTuple(LANES, count)(array, types.intp), emit

    return function


load2 = intrinsic(_load_parts(2))
"""16 neighbouring pairs of a flat float32 array, as two vectors."""
load3 = intrinsic(_load_parts(3))
"""16 neighbouring triples, as three vectors."""
load4 = intrinsic(_load_parts(4))
"""16 neighbouring quadruples, as four vectors."""


@intrinsic
def store3(typing_context: Any, array: Any, start: Any, value: Any) -> Any:
    """Write three vectors as 16 neighbouring triples of a flat float32 array."""
    del typing_context, start

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        a, b, c = (builder.extract_value(args[2], part) for part in range(3))
        both = _shuffle(builder, a, b, list(range(2 * WIDTH)))
        more = _shuffle(builder, c, c, list(range(2 * WIDTH)))
        order = [i + offset for i in range(WIDTH) for offset in (0, WIDTH, 2 * WIDTH)]
        triples = _shuffle(builder, both, more, order)
        place = builder.bitcast(address(context, builder, sig, args), triples.type.as_pointer())
        builder.store(triples, place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), emit


def _halves(step: int) -> tuple[list[int], list[int]]:
    """Orders that exchange lanes with and without bit `step` between two vectors."""
    lanes = range(WIDTH)
    first = [lane if not lane & step else WIDTH + lane - step for lane in lanes]
    second = [lane + step if not lane & step else WIDTH + lane for lane in lanes]
    return first, second


@intrinsic
def turn(typing_context: Any, source: Any, rows_at: Any, out: Any, columns_at: Any) -> Any:
    """Write the 16 columns of 16 rows of 16 floats as rows; `(start, stride)` says where rows lie in a flat array."""
    del typing_context, rows_at, columns_at

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        source, out = args[0], args[2]
        (start, stride), (at, out_stride) = ([builder.extract_value(args[i], part) for part in (0, 1)] for i in (1, 3))
        kinds = sig.args

        def place(kind: Any, array: ir.Value, index: ir.Value) -> ir.Value:
            found = address(context, builder, types.void(kind, types.intp), (array, index))
            return builder.bitcast(found, FLOATS.as_pointer())

        rows = []
        for _ in range(WIDTH):
            rows.append(builder.load(place(kinds[0], source, start), align=4))
            start = builder.add(start, stride)
        for step in (1, 2, 4, 8):
            first, second = _halves(step)
            for i in range(WIDTH):
                if not i & step:
                    a, b = rows[i], rows[i + step]
                    rows[i], rows[i + step] = _shuffle(builder, a, b, first), _shuffle(builder, a, b, second)
        for row in rows:
            builder.store(row, place(kinds[2], out, at), align=4)
            at = builder.add(at, out_stride)
        return context.get_dummy_value()

    where = types.UniTuple(types.intp, 2)
    return types.void(source, where, out, where), emit


@intrinsic
def totals(typing_context: Any, values: Any) -> Any:
    """The sums over the lanes of up to 16 vectors: lane i holds that of vector i."""
    del typing_context

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        del context
        parts = [builder.extract_value(args[0], i) for i in range(len(sig.args[0]))]
        parts += [ir.Constant(FLOATS, [0.0] * WIDTH)] * (WIDTH - len(parts))
        for step in (8, 4, 2, 1):
            for i in range(step):
                a, b = parts[i], parts[i + step]
                kept = [lane if not lane & step else WIDTH + lane for lane in range(WIDTH)]
                other = [lane + step if not lane & step else WIDTH + lane - step for lane in range(WIDTH)]
                parts[i] = builder.fadd(_shuffle(builder, a, b, kept), _shuffle(builder, a, b, other))
        return parts[0]

    return LANES(values), emit
