"""Lanes to and from memory, and 2^x and log2(x), which need the bits of a float."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from gs_sim.rendering.cpu_lanes import FLOATS, INT, INTS, LANES, constant

f32 = np.float32
LINE_BYTES = 64


def aligned_empty(size: int) -> Any:
    """Room for `size` float32 that starts at a cache line, where a vector of 16 is one line; outside of kernels."""
    array = np.empty(size + LINE_BYTES // 4, np.float32)
    skip = -array.ctypes.data % LINE_BYTES // 4
    return array[skip : skip + size]


def address(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    """Where entry args[1] of the flat array args[0] lies."""
    array = context.make_array(sig.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])


@intrinsic
def load(typing_context: Any, array: Any, start: Any) -> Any:
    """16 neighbours of a flat float32 array."""
    del typing_context, start

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        place = builder.bitcast(address(context, builder, sig, args), FLOATS.as_pointer())
        return builder.load(place, align=4)

    return LANES(array, types.intp), emit


@intrinsic
def store(typing_context: Any, array: Any, start: Any, value: Any) -> Any:
    """Write 16 neighbours of a flat float32 array."""
    del typing_context, start

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        place = builder.bitcast(address(context, builder, sig, args), FLOATS.as_pointer())
        builder.store(args[2], place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), emit


@intrinsic
def take(typing_context: Any, array: Any, index: Any) -> Any:
    """One number of a flat array; numba's own indexing first asks whether the index is negative."""
    del typing_context, index

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.load(address(context, builder, sig, args))

    return array.dtype(array, types.intp), emit


@intrinsic
def put(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write one number of a flat array, as `take` reads it."""
    del typing_context, index, value

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        builder.store(args[2], address(context, builder, sig, args))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), emit


@intrinsic
def _bytes_to_line(typing_context: Any, array: Any) -> Any:
    """How far the next cache line lies from the start of an array."""
    del typing_context

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        long = ir.IntType(64)
        start = builder.ptrtoint(context.make_array(sig.args[0])(context, builder, args[0]).data, long)
        return builder.and_(builder.neg(start), ir.Constant(long, LINE_BYTES - 1))

    return types.int64(array), emit


@numba.njit(forceinline=True)
def aligned_zeros(size: int) -> Any:
    """Zeros that start at a cache line: a vector that lies across two costs twice."""
    array = np.zeros(size + LINE_BYTES // 4, np.float32)
    return array[_bytes_to_line(array) // 4 :]


@intrinsic
def prefetch(typing_context: Any, array: Any, start: Any) -> Any:
    """Ask for the cache line of one entry of a flat array ahead of its use."""
    del typing_context, start

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        place = builder.bitcast(address(context, builder, sig, args), byte)
        builder.call(function, [place, *(ir.Constant(INT, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


def _bitwise(emit_bits: Callable[[ir.IRBuilder, ir.Value], ir.Value]) -> Any:
    """An intrinsic that changes the bits of each float."""

    def function(typing_context: Any, a: Any) -> Any:
        del typing_context

        def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            del context, sig
            return builder.bitcast(emit_bits(builder, builder.bitcast(args[0], INTS)), FLOATS)

        return LANES(a), emit

    return intrinsic(function)


_to_exponent = _bitwise(lambda builder, i: builder.shl(i, constant(23, INT)))
negative = _bitwise(lambda builder, i: builder.or_(i, constant(-(2**31), INT)))
"""-|x| of each lane."""

ROOT_HALF_BITS = 0x3F3504F3
"""The bits of sqrt(1/2): subtracting them puts the steps of the exponent between sqrt(1/2) and sqrt(2)."""


def _mantissa_bits(builder: ir.IRBuilder, i: ir.Value) -> ir.Value:
    above = builder.sub(i, constant(ROOT_HALF_BITS, INT))
    return builder.sub(i, builder.and_(above, constant(-(2**23), INT)))


_mantissa = _bitwise(_mantissa_bits)


@intrinsic
def _exponent(typing_context: Any, a: Any) -> Any:
    del typing_context

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        del context, sig
        above = builder.sub(builder.bitcast(args[0], INTS), constant(ROOT_HALF_BITS, INT))
        return builder.sitofp(builder.ashr(above, constant(23, INT)), FLOATS)

    return LANES(a), emit


ROUND = f32(1.5 * 2**23 + 127)
"""Adding it leaves round(x) + 127, the biased exponent of 2^round(x), in the lowest bits of the float."""


@numba.njit(forceinline=True, fastmath={"contract"})
def exp2(x: Any) -> Any:
    """2^x lane by lane for -126 <= x <= 127; relative error below 2e-7."""
    shifted = x + ROUND
    f = x - (shifted - ROUND)
    p = f * f32(0.001326472731307149) + f32(0.009671512991189957)
    p = p * f + f32(0.05550733581185341)
    p = p * f + f32(0.24022242426872253)
    p = p * f + f32(0.6931470036506653)
    p = p * f + f32(1)
    return p * _to_exponent(shifted)


@numba.njit(forceinline=True, fastmath={"contract"})
def log2(x: Any) -> Any:
    """Logarithm of positive normal numbers lane by lane: x = 2^k m, and an odd series in (m - 1) / (m + 1)."""
    m = _mantissa(x)
    s = (m - f32(1)) / (m + f32(1))
    ss = s * s
    p = ss * f32(0.4121985831111324) + f32(0.5770780163555854)
    p = p * ss + f32(0.9617966939259757)
    p = p * ss + f32(2.8853900817779268)
    return s * p + _exponent(x)
