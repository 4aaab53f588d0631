"""Answers of `simulation_interfaces`: a code and a sentence in each."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from simulation_interfaces.msg import Result

from gs_sim.errors import GsSimError, InputError
from gs_sim.simulation.world import RefusedError

CODES = {
    "not_found": Result.RESULT_NOT_FOUND,
    "no_world": Result.RESULT_INCORRECT_STATE,
    "wrong_state": Result.RESULT_OPERATION_FAILED,
    "absent": Result.RESULT_OPERATION_FAILED,
}
"""Of refusals that mean the same in every service."""


class UnsupportedError(InputError):
    """A request uses a part of the interface that is not supported."""


Handler = Callable[[Any, Any], None]


def done(answer: Any) -> None:
    """Say that it worked."""
    answer.result.result, answer.result.error_message = Result.RESULT_OK, ""


def failed(answer: Any, code: int, sentence: str) -> None:
    """Say why it did not."""
    answer.result.result, answer.result.error_message = code, sentence


def code_of(error: GsSimError, own: dict[str, int] | None = None) -> int:
    """The code of an error: the service's own for its reason, the common one, or that the operation failed."""
    if isinstance(error, UnsupportedError):
        return int(Result.RESULT_FEATURE_UNSUPPORTED)
    reason = error.reason if isinstance(error, RefusedError) else ""
    code = (own or {}).get(reason, CODES.get(reason, Result.RESULT_OPERATION_FAILED))
    return int(code)


def answering(handler: Handler, own: dict[str, int] | None = None) -> Callable[[Any, Any], Any]:
    """A service callback from a handler that fills a response: what it refuses becomes the answer."""

    @wraps(handler)
    def answer(request: Any, response: Any) -> Any:
        try:
            handler(request, response)
        except GsSimError as error:
            failed(response, code_of(error, own), str(error))
        return response

    return answer
