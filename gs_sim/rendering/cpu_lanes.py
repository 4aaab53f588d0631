"""Sixteen floats as one value inside numba kernels: explicit SIMD, spelled as ordinary arithmetic.

LLVM's own vectoriser gives up on loops that carry a transmittance and write to several arrays. With a
vector type the kernels keep sums in registers whatever it decides, on every instruction set: AVX-512 holds
16 floats in one register, AVX2 and NEON in several. `Lanes` and `Mask` exist only in compiled code; the
Python functions of the same names here serve the type checker.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

WIDTH = 16
FLOAT, INT, BIT = ir.FloatType(), ir.IntType(32), ir.IntType(1)
FLOATS, INTS, BITS = (ir.VectorType(element, WIDTH) for element in (FLOAT, INT, BIT))


class LanesType(types.Type):  # type: ignore[misc]  # numba has no types
    """16 float32."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


class MaskType(types.Type):  # type: ignore[misc]  # numba has no types
    """16 truth values."""

    def __init__(self) -> None:
        super().__init__(name="Mask")


LANES, MASK = LanesType(), MaskType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]  # numba has no types
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, FLOATS)


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):  # type: ignore[misc]  # numba has no types
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, BITS)


def constant(value: float | int, element: ir.Type = FLOAT) -> ir.Constant:
    """The same number in every lane, known when compiling."""
    number = float(np.float32(value)) if element is FLOAT else int(value)
    return ir.Constant(ir.VectorType(element, WIDTH), [number] * WIDTH)


def _spread(builder: ir.IRBuilder, value: ir.Value, numba_type: types.Type) -> ir.Value:
    """A vector as it is, a scalar in every lane."""
    if numba_type in (LANES, MASK):
        return value
    if numba_type != types.float32:
        value = builder.fptrunc(value, FLOAT)
    undefined = ir.Constant(FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(INT, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(INTS, [0] * WIDTH))


def _binary(symbol: Callable[..., Any], result: types.Type, emit: Callable[..., ir.Value]) -> None:
    """Teach numba one operator on lanes and scalars."""

    class Template(AbstractTemplate):  # type: ignore[misc]  # numba has no types
        def generic(self, args: Any, kws: Any) -> Any:
            del kws
            known = (LANES, types.float32, types.float64)
            if len(args) == 2 and LANES in args and all(arg in known for arg in args):
                return signature(result, *args)
            return None

    infer_global(symbol)(Template)

    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        del context
        a, b = (_spread(builder, arg, numba_type) for arg, numba_type in zip(args, sig.args, strict=True))
        return emit(builder, a, b)

    for pair in ((LANES, LANES), (LANES, types.Float), (types.Float, LANES)):
        lower_builtin(symbol, *pair)(lower)


for plus in (operator.add, operator.iadd):
    _binary(plus, LANES, lambda builder, a, b: builder.fadd(a, b))
for minus in (operator.sub, operator.isub):
    _binary(minus, LANES, lambda builder, a, b: builder.fsub(a, b))
_binary(operator.mul, LANES, lambda builder, a, b: builder.fmul(a, b))
_binary(operator.truediv, LANES, lambda builder, a, b: builder.fdiv(a, b))
_binary(operator.gt, MASK, lambda builder, a, b: builder.fcmp_ordered(">", a, b))
_binary(operator.ge, MASK, lambda builder, a, b: builder.fcmp_ordered(">=", a, b))
_binary(operator.le, MASK, lambda builder, a, b: builder.fcmp_ordered("<=", a, b))
_binary(operator.lt, MASK, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_binary(operator.eq, MASK, lambda builder, a, b: builder.fcmp_ordered("==", a, b))


@infer_global(operator.and_)
class _And(AbstractTemplate):  # type: ignore[misc]  # numba has no types
    def generic(self, args: Any, kws: Any) -> Any:
        del kws
        return signature(MASK, MASK, MASK) if args == (MASK, MASK) else None


@lower_builtin(operator.and_, MASK, MASK)
def _lower_and(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    del context, sig
    return builder.and_(*args)


def _call(builder: ir.IRBuilder, name: str, result: ir.Type, args: list[ir.Value]) -> ir.Value:
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, args)


def _unary(name: str) -> Callable[..., Any]:
    def function(typing_context: Any, a: Any) -> Any:
        del typing_context
        if a != LANES:
            return None
        return LANES(LANES), lambda context, builder, sig, args: _call(
            builder, f"llvm.{name}.v16f32", FLOATS, [args[0]]
        )

    return function


root = intrinsic(_unary("sqrt"))
"""Square root of each lane."""
magnitude = intrinsic(_unary("fabs"))
"""Absolute value of each lane."""
floor = intrinsic(_unary("floor"))
"""The next integer below, of each lane."""
ceil = intrinsic(_unary("ceil"))
"""The next integer above, of each lane."""


@intrinsic
def spread(typing_context: Any, value: Any) -> Any:
    """The same number in every lane."""
    del typing_context
    return LANES(value), lambda context, builder, sig, args: _spread(builder, args[0], sig.args[0])


@intrinsic
def ramp(typing_context: Any) -> Any:
    """0, 1, ... 15."""
    del typing_context
    return LANES(), lambda context, builder, sig, args: ir.Constant(FLOATS, [float(i) for i in range(WIDTH)])


def _choose(order: str) -> Callable[..., Any]:
    def function(typing_context: Any, a: Any, b: Any) -> Any:
        del typing_context

        def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            del context
            x, y = (_spread(builder, arg, numba_type) for arg, numba_type in zip(args, sig.args, strict=True))
            return builder.select(builder.fcmp_ordered(order, y, x), y, x)

        return LANES(a, b), emit

    return function


smaller = intrinsic(_choose("<"))
"""The smaller of two, lane by lane; the first where it is not a number."""
larger = intrinsic(_choose(">"))
"""The larger of two, lane by lane; the first where it is not a number."""


@intrinsic
def where(typing_context: Any, mask: Any, a: Any, b: Any) -> Any:
    """`a` where the mask is true, else `b`."""
    del typing_context

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        del context
        x, y = (_spread(builder, arg, kind) for arg, kind in zip(args[1:], sig.args[1:], strict=True))
        return builder.select(args[0], x, y)

    return LANES(mask, a, b), emit


@intrinsic
def bits(typing_context: Any, mask: Any) -> Any:
    """A mask as the lowest 16 bits of an integer."""
    del typing_context

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        del context, sig
        return builder.zext(builder.bitcast(args[0], ir.IntType(WIDTH)), ir.IntType(64))

    return types.int64(mask), emit


@intrinsic
def lowest(typing_context: Any, number: Any) -> Any:
    """Place of the lowest bit that is set in an integer other than 0."""
    del typing_context, number

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        del context, sig
        return builder.cttz(args[0], ir.Constant(BIT, 1))

    return types.int64(types.int64), emit


@intrinsic
def total(typing_context: Any, a: Any) -> Any:
    """Sum over the lanes, always in the same order: halves onto each other."""
    del typing_context

    def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        del context, sig
        value, size = args[0], WIDTH
        while size > 1:
            size //= 2
            low, high = (
                builder.shuffle_vector(
                    value, value, ir.Constant(ir.VectorType(INT, size), [start + i for i in range(size)])
                )
                for start in (0, size)
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(INT, 0))

    return types.float32(a), emit
