# SPDX-License-Identifier: Apache-2.0
"""Options of a compression method: fields of its frozen dataclass, read from ``key=value`` texts.

A method declares each option once, with its kind, one line of help and a default. Parsing, checking
and listing all follow from that declaration, so what the help says is what the code accepts. A
value given from Python goes through the same check as one typed on a command line.
"""

from __future__ import annotations

import re
from dataclasses import Field, dataclass, fields
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)

# No exponents: Fraction("1e999999999") would build that integer.
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,30})?|\.\d{1,30}|\d{1,9}/\d{1,9}")
_INTEGER = re.compile(r"[+-]?\d{1,9}")


@dataclass(frozen=True)
class OptionKind(Generic[_T]):
    """What an option's values are.

    Attributes:
        expects: Completes "must be ...", for messages and help.
        parse: Reads a value; raises ``ValueError`` or ``ZeroDivisionError`` if the text is none.
        accepts: Whether a value is one of this kind.
        absent: The word for ``None``, where that is a value.
    """

    expects: str
    parse: Callable[[str], _T]
    accepts: Callable[[Any], bool]
    absent: str = ""


class OptionDescription(NamedTuple):
    """One option, for listings."""

    name: str
    summary: str
    expects: str
    default: str


def option(kind: OptionKind[Any], summary: str) -> dict[str, object]:
    """Return the metadata that makes a dataclass field an option."""
    return {"kind": kind, "summary": summary}


def choice(values: type[_E]) -> OptionKind[_E]:
    """Return the kind of option that is one member of an enumeration."""
    return OptionKind(
        "one of " + ", ".join(values), values, lambda value: isinstance(value, values)
    )


def integer(lowest: int, highest: int) -> OptionKind[int]:
    """Return the kind of option that is an integer in a closed range."""
    return OptionKind(
        f"an integer from {lowest} to {highest}",
        _parse_integer,
        lambda value: _is_integer(value) and lowest <= value <= highest,
    )


def optional_integer(lowest: int, highest: int, absent: str) -> OptionKind[int | None]:
    """Return the kind of option that is an integer in a closed range, or the word ``absent``."""
    return OptionKind(
        f"{absent!r} or an integer from {lowest} to {highest}",
        lambda text: None if text == absent else _parse_integer(text),
        lambda value: value is None or (_is_integer(value) and lowest <= value <= highest),
        absent,
    )


def share() -> OptionKind[Fraction]:
    """Return the kind of option that is a number in [0, 1), kept exactly."""
    return OptionKind("a number in [0, 1), such as 0.1 or 1/3", _parse_fraction, _is_share)


def optional_share(absent: str) -> OptionKind[Fraction | None]:
    """Return the kind of option that is a number in [0, 1) or the word ``absent``."""
    return OptionKind(
        f"{absent!r} or a number in [0, 1), such as 0.1 or 1/3",
        lambda text: None if text == absent else _parse_fraction(text),
        lambda value: value is None or _is_share(value),
        absent,
    )


def layer_selection() -> OptionKind[tuple[int, ...] | None]:
    """Return the kind of option that selects ReLU layers, counted from 0; ``None`` is all."""
    return OptionKind(
        "'all' or layer numbers joined by commas, counted from 0, such as 0,2",
        lambda text: None if text == "all" else _parse_layers(text),
        lambda value: value is None or _is_layers(value),
        "all",
    )


def parse_options(method: type[_T], name: str, assignments: Iterable[str]) -> _T:
    """Make a method from its options as ``key=value`` texts.

    Raises:
        UsageError: A text is no assignment, or names an option that the method has not, or twice
            the same one, or gives a value that the option does not take.
    """
    declared = {f.name: f for f in _options(method)}
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            msg = f"method {name!r}: {assignment!r} is not of the form key=value"
            raise UsageError(msg)
        if key not in declared:
            known = ", ".join(declared) or "none"
            msg = f"method {name!r} has no option {key!r}; its options: {known}"
            raise UsageError(msg)
        if key in values:
            msg = f"method {name!r}: option {key!r} is given twice"
            raise UsageError(msg)
        kind: OptionKind[Any] = declared[key].metadata["kind"]
        try:
            values[key] = kind.parse(text)
        except (ValueError, ZeroDivisionError) as error:
            raise _refusal(name, key, text, kind) from error
    return method(**values)


def check_options(method: object, name: str) -> None:
    """Check every option of a method that was made.

    Raises:
        UsageError: An option has a value that it does not take.
    """
    for declared in _options(type(method)):
        value = getattr(method, declared.name)
        kind: OptionKind[Any] = declared.metadata["kind"]
        if not kind.accepts(value):
            raise _refusal(name, declared.name, value, kind)


def option_values(method: object) -> dict[str, str | int | None]:
    """Return the options of a method as values that JSON has; exact numbers become texts."""
    return {f.name: _plain(getattr(method, f.name)) for f in _options(type(method))}


def describe_options(method: type[object]) -> tuple[OptionDescription, ...]:
    """Return the options of a method in the order in which it declares them."""
    return tuple(
        OptionDescription(
            f.name,
            f.metadata["summary"],
            f.metadata["kind"].expects,
            f.metadata["kind"].absent if f.default is None else str(_plain(f.default)),
        )
        for f in _options(method)
    )


def _options(method: type[object]) -> tuple[Field[Any], ...]:
    declared: Any = method
    return fields(declared)


def _plain(value: object) -> str | int | None:
    match value:
        case None | int():
            return value
        case tuple():
            return ",".join(str(part) for part in value)
        case _:
            return str(value)


def _refusal(name: str, key: str, value: object, kind: OptionKind[Any]) -> UsageError:
    return UsageError(f"method {name!r}: option {key}={value!s} must be {kind.expects}")


def _parse_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _parse_fraction(text: str) -> Fraction:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return Fraction(text)


def _parse_layers(text: str) -> tuple[int, ...]:
    return tuple(sorted({_parse_integer(part) for part in text.split(",")}))


def _is_layers(value: object) -> bool:
    if not isinstance(value, tuple) or not value:
        return False
    return all(_is_integer(layer) and layer >= 0 for layer in value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_share(value: object) -> bool:
    return isinstance(value, Fraction) and 0 <= value < 1
