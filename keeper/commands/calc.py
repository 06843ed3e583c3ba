"""``keeper calc``: calculators of margin, by the rules of the venue that is named.

Law: a calculator is a function; its parameters are the words of the command, ``name=value``. What is missing, unknown
or malformed is said at once, with what the calculator takes.
"""

import inspect
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args, get_type_hints

from keeper.commands.calculators import CALCULATORS
from keeper.commands.tables import show
from keeper.errors import ConfigError, Exit
from keeper.output import emit

Calculator = Callable[..., Mapping[str, object]]
WORDS: Final = {float: "number", int: "whole number"}


async def calc(args: Namespace) -> int:
    """One calculator, or the list of them."""
    if args.name is None:
        show(
            "calculators",
            (("name", "left"), ("takes", "left"), ("says", "left")),
            [_listed(name) for name in CALCULATORS],
        )
        return Exit.DONE
    if args.name not in CALCULATORS:
        raise ConfigError(f"there is no calculator {args.name}; known: {', '.join(CALCULATORS)}")
    function = CALCULATORS[args.name]
    try:
        found = function(**values(args.name, function, args.values))
    except (ArithmeticError, ValueError) as error:
        raise ConfigError(f"{args.name}: these values have no answer ({error})") from error
    if args.json:
        emit({"calculator": args.name} | dict(found))
    else:
        show(
            f"{args.name}: {_says(function)}",
            (("", "left"), ("", "right")),
            [(key, shown(value)) for key, value in found.items()],
        )
    return Exit.DONE


def values(name: str, function: Calculator, words: list[str]) -> dict[str, Any]:
    """The words as arguments; all that is wrong with them at once."""
    known, hints = inspect.signature(function).parameters, get_type_hints(function)
    given, problems = dict[str, Any](), list[str]()
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or key not in known:
            problems.append(f"{word}: {name} takes {takes(function)}")
            continue
        try:
            given[key] = _read(hints[key], text)
        except ValueError:
            problems.append(f"{word}: {key} is {_kind(hints[key])}")
    missing = [key for key, one in known.items() if one.default is one.empty and key not in given]
    if missing and not problems:
        problems = [f"{name} also needs {', '.join(missing)}; it takes {takes(function)}"]
    if problems:
        raise ConfigError(*problems)
    return given


def takes(function: Calculator) -> str:
    """The parameters, as they are written."""
    hints = get_type_hints(function)
    return " ".join(
        f"{key}={_kind(hints[key])}" if one.default is one.empty else f"({key}={one.default})"
        for key, one in inspect.signature(function).parameters.items()
    )


def shown(value: object) -> str:
    """A figure for people."""
    if isinstance(value, float):
        return f"{value:,.8g}" if abs(value) < 1 else f"{value:,.6f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _listed(name: str) -> tuple[str, str, str]:
    function = CALCULATORS[name]
    return name, takes(function), _says(function)


def _says(function: Calculator) -> str:
    return (function.__doc__ or "").partition("\n")[0]


def _kind(hint: Any) -> str:  # noqa: ANN401 - any annotation
    choices = [str(one) for one in get_args(hint) if one is not type(None) and not isinstance(one, type)]
    plain = next((one for one in get_args(hint) if one in WORDS), hint)
    return "|".join(choices) or WORDS.get(plain, "text")


def _read(hint: Any, text: str) -> Any:  # noqa: ANN401 - as annotated
    choices = [one for one in get_args(hint) if isinstance(one, str)]
    if choices:
        if text not in choices:
            raise ValueError(text)
        return text
    plain = next((one for one in get_args(hint) if one in WORDS), hint)
    return plain(text) if plain in WORDS else text
