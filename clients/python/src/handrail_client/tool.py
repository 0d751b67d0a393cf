"""A typed Python function as a door to an action: `@action("shop.refund")`.

The function says what the model sees: name, parameters, types, docstring. Its body is not run: handrail decides, waits
and calls the target; only with `here=True` the body is what carries the action out, under a permit. The decorated
function keeps signature, docstring and annotations, so every agent framework takes it as it would take the function
itself.
"""

import functools
import inspect
import os
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Any, Literal, ParamSpec, TypeVar, cast

from handrail_client.actions import Actions, AsyncActions
from handrail_client.asking import Action
from handrail_client.errors import Refused, Unreachable
from handrail_client.permits import Permit

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", Actions, AsyncActions)

URL_VARIABLE = "HANDRAIL_URL"
KEY_VARIABLE = "HANDRAIL_KEY"


class ActionNotDone(Exception):
    """Raised only by a function that was decorated with `otherwise="raise"`. `action`: how far it is."""

    def __init__(self, action: Action) -> None:
        super().__init__(f"{action.id} is {action.status}")
        self.action = action


class NoEffect(Exception):
    """Raise it in the body of a function that is done here when the effect certainly did not happen. `code`: short and
    stable, without anything personal."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def action(
    name: str,
    *,
    via: Actions | AsyncActions | None = None,
    wait_s: float = 0.0,
    otherwise: Literal["tell", "raise"] = "tell",
    local: Collection[str] = (),
    here: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """`name`: the tool's full name. `via`: the client, AsyncActions for a coroutine function; left out: one made from
    HANDRAIL_URL and HANDRAIL_KEY at the first call. `wait_s`: how long to wait for an end. `otherwise`: what comes back
    when it is not done by then: `tell` returns NotDone, a mapping the model can read; `raise` raises ActionNotDone.
    `local`: parameters that stay here, such as a framework's context. `here`: the body carries the action out, once,
    under a permit, and what it returns is reported; raise NoEffect in it for what certainly did not happen. Any other
    exception goes to the caller unreported, and a person is asked what became of it. A parameter that is None by
    default is left out of the call while it is None. Calls raise Refused, Unreachable, or TypeError for a value that
    JSON cannot carry.

    Raises TypeError here for a function with *args or **kwargs, a generator that is to be done here, or a client of the
    other kind."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = _checked(function, via, local)
        if here and (inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)):
            raise TypeError(f"{function.__qualname__}: a call of a generator does nothing yet; return the result")

        def sent(bound: inspect.BoundArguments) -> dict[str, Any]:
            return {
                key: plain(value, key)
                for key, value in bound.arguments.items()
                if key not in local and not (value is None and signature.parameters[key].default is None)
            }

        def told(answer: Action) -> Any:
            if otherwise == "raise" and not answer.done:
                raise ActionNotDone(answer)
            return answer.told()

        if inspect.iscoroutinefunction(function):

            @functools.cache
            def awaited() -> AsyncActions:
                return via if isinstance(via, AsyncActions) else _from_environment(AsyncActions)

            async def ask(*args: P.args, **kwargs: P.kwargs) -> Any:
                rail, bound = awaited(), _bound(signature, args, kwargs)
                arguments = sent(bound)
                if not here:
                    return told(await rail.ask(name, arguments, wait_s=wait_s))
                permit = await rail.permit(name, arguments, wait_s=wait_s)
                if isinstance(permit, Action):
                    return told(permit)
                _follow(bound, arguments, permit)
                if not await rail.redeem(permit):
                    return told(await rail.look(permit.action_id))
                try:
                    result = await function(*bound.args, **bound.kwargs)
                except NoEffect as why:
                    return told(await rail.report(permit, failed=why.code))
                try:
                    await rail.report(permit, _reported(result))
                except (Refused, Unreachable) as error:
                    _unreported(permit, error)
                return result

            return cast("Callable[P, R]", functools.wraps(function)(ask))

        @functools.cache
        def client() -> Actions:
            return via if isinstance(via, Actions) else _from_environment(Actions)

        def ask_now(*args: P.args, **kwargs: P.kwargs) -> Any:
            rail, bound = client(), _bound(signature, args, kwargs)
            arguments = sent(bound)
            if not here:
                return told(rail.ask(name, arguments, wait_s=wait_s))
            permit = rail.permit(name, arguments, wait_s=wait_s)
            if isinstance(permit, Action):
                return told(permit)
            _follow(bound, arguments, permit)
            if not rail.redeem(permit):
                return told(rail.look(permit.action_id))
            try:
                result = function(*bound.args, **bound.kwargs)
            except NoEffect as why:
                return told(rail.report(permit, failed=why.code))
            if inspect.isawaitable(result):  # it has not happened yet, and nobody can tell whether it will
                raise TypeError(f"{permit.action_id}: what is awaited is written async def; it is not reported")
            try:
                rail.report(permit, _reported(result))
            except (Refused, Unreachable) as error:
                _unreported(permit, error)
            return result

        return cast("Callable[P, R]", functools.wraps(function)(ask_now))

    return decorate


def _bound(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return bound


def _follow(bound: inspect.BoundArguments, sent: Mapping[str, Any], permit: Permit) -> None:
    """What the rules changed is what the body gets, as JSON. Raises TypeError, before anything is done, for an argument
    that the function cannot take."""
    if unknown := permit.arguments.keys() - bound.signature.parameters.keys():
        raise TypeError(f"the permit says {min(unknown)!r}, and the function has no such parameter: it is not done")
    for key, value in permit.arguments.items():
        if key not in sent or sent[key] != value:
            bound.arguments[key] = value


def _reported(result: Any) -> Any:
    """The result as JSON; None when it is none: it happened all the same."""
    try:
        return plain(result, "result")
    except TypeError:
        return None


def _unreported(permit: Permit, error: Exception) -> None:
    import logging  # deferred: only this needs it

    logger = logging.getLogger("handrail_client")
    logger.warning("action %s is done and could not be reported: %s", permit.action_id, error)


def _from_environment(kind: type[C]) -> C:
    missing = [name for name in (URL_VARIABLE, KEY_VARIABLE) if not os.environ.get(name)]
    if missing:
        raise RuntimeError(f"set {' and '.join(missing)}, or give the decorator a client: via=...")
    return kind(os.environ[URL_VARIABLE], os.environ[KEY_VARIABLE])


def plain(value: Any, where: str) -> Any:
    """As JSON: dates in ISO 8601, enumerations by value, dataclasses and pydantic models as mappings. Raises TypeError
    with the place of what cannot be carried exactly (a Decimal: send whole minor units, or a text)."""
    if isinstance(value, Enum):
        return plain(value.value, where)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, f"{where}.{index}") for index, inner in enumerate(value)]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__"):
        return {field: plain(getattr(value, field), f"{where}.{field}") for field in value.__dataclass_fields__}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{where}: a value of type {type(value).__name__} cannot be sent as JSON")


def _checked(function: Callable[..., Any], via: Any, local: Collection[str]) -> inspect.Signature:
    signature = inspect.signature(function)
    many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if any(parameter.kind in many for parameter in signature.parameters.values()):
        raise TypeError(f"{function.__qualname__}: an action names its arguments; *args and **kwargs name none")
    if unknown := [name for name in local if name not in signature.parameters]:
        raise TypeError(f"{function.__qualname__} has no parameter {unknown[0]!r}")
    waits = inspect.iscoroutinefunction(function)
    if via is not None and isinstance(via, AsyncActions) is not waits:
        kind = "AsyncActions" if waits else "Actions"
        raise TypeError(f"{function.__qualname__} needs a client of the kind {kind}")
    return signature
