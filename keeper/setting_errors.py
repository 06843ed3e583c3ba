"""What is wrong with a configuration, in words an operator can act on.

Law: every message names the origin, the key, the value (masked where it may be secret) and what is allowed.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Final, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from keeper.redact import hide, is_secret_name, redact_refused, url_secrets
from keeper.sources import PREFIX, KeyPath, Tree, dotted

T = TypeVar("T")

_PRIVATE_KEY: Final = re.compile(r"(0x)?[0-9a-fA-F]{64}")


def keys(section: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every key that can be set, without places in lists."""
    for name, field in section.model_fields.items():
        inner = _parts(field, BaseModel)
        if inner:
            yield from keys(inner[0], (*prefix, name))
        else:
            yield (*prefix, name), field


def misplaced(tree: Tree, root: type[BaseModel]) -> dict[KeyPath, str]:
    """One line for each secret that stands in TOML, which is not the place for it."""
    return {
        path: f"{tree.origin(path)}: {dotted(path)}: {why}, and a secret has no place in TOML; {_safer(path, root)}"
        for path, value in _leaves(tree.values)
        if (why := _secret(path, value, root))
    }


def explain(error: ValidationError, tree: Tree, root: type[BaseModel], told: Collection[KeyPath]) -> list[str]:
    """One line for each thing that does not fit the model, but for paths about which enough was told."""
    errors = (one for one in error.errors() if one["loc"] not in told and not _consequence(one))
    return [_line(one, tree, root) for one in errors]


def hide_secrets(settings: BaseModel) -> None:
    """Mask every secret of the configuration in logs, wherever it turns up."""
    for _, value in _leaves(settings.model_dump()):
        if isinstance(value, SecretStr):
            hide(value.get_secret_value())
        for part in url_secrets(str(value)):
            hide(part)


def _line(details: ErrorDetails, tree: Tree, root: type[BaseModel]) -> str:
    path, field = details["loc"], _field(root, details["loc"])
    origin = tree.origin(path) or ", ".join(tree.inside(path))
    where = f"{origin}: {dotted(path)}" if origin else dotted(path)
    means = f" ({field.description})" if field and field.description else ""
    if details["type"] == "missing":
        return f"{where}: missing{means}; {_elsewhere(path, root)}"
    if details["type"] == "extra_forbidden":
        return f"{where}: unknown key; {_known(path, root)}"
    allowed = details["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if details["type"] in {"model_type", "model_attributes_type"}:
        return f"{where}{_shown(details['input'])}: is a table; {_known((*path, ''), root)}"
    return f"{where}{_shown(details['input'])}: {allowed}{means}"


def _shown(value: object) -> str:
    """The value as it may be shown; a table or a list is not."""
    if isinstance(value, Mapping | list):
        return ""
    return f" = {redact_refused(value)!r}" if isinstance(value, str) else f" = {value!r}"


def _known(path: KeyPath, root: type[BaseModel]) -> str:
    """The keys beside an unknown one, the likeliest first."""
    section = _section(root, path[:-1])
    names = list(section.model_fields) if section else []
    close = get_close_matches(str(path[-1]), names, n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}known here: {', '.join(names) or 'nothing'}"


def _elsewhere(path: KeyPath, root: type[BaseModel]) -> str:
    key = dotted(path[:-1] if isinstance(path[-1], int) else path)  # a place in a list of values is not a key
    variable = PREFIX + key.replace(".", "__").upper()
    field = _field(root, path)
    flag = "" if field and _parts(field, SecretStr) else f", or the flag --{key}"
    return f"set {variable}, a secret file {variable.lower()}{flag}"


def _safer(path: KeyPath, root: type[BaseModel]) -> str:
    """Where a secret may be: not in a flag, which everyone on the machine can read."""
    if path[0] == "signer" or _field(root, path) is None:
        return 'use [signer] keystore and password_file, or [signer] env = "NAME of the variable that holds it"'
    return _elsewhere(path, root).partition(", or the flag")[0]


HASHES = frozenset({"init_code_hash"})  # keys whose value has the length of a private key and is none


def _secret(path: KeyPath, value: object, root: type[BaseModel]) -> str:
    """Why this value of a TOML file is taken for a secret; empty if it is none."""
    field = _field(root, path)
    if any(is_secret_name(str(part)) for part in path) or (field and _parts(field, SecretStr)):
        return "this is a secret"
    if isinstance(value, str) and _PRIVATE_KEY.fullmatch(value.strip()) and path[-1] not in HASHES:
        return "this looks like a private key"
    if isinstance(value, str) and url_secrets(value):
        return "this URL holds a credential"
    return ""


def _consequence(details: ErrorDetails) -> bool:
    """Said of a list only because its items were refused."""
    return details["type"] == "too_short" and bool(details["input"])


def _section(root: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    section = root
    for name in (part for part in path if isinstance(part, str)):
        field = section.model_fields.get(name)
        inner = _parts(field, BaseModel) if field else []
        if not inner:
            return None
        section = inner[0]
    return section


def _field(root: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    names = tuple(part for part in path if isinstance(part, str))
    section = _section(root, names[:-1])
    return section.model_fields.get(names[-1]) if section and names else None


def _parts(field: FieldInfo, kind: type[T]) -> list[type[T]]:
    """The types of that kind inside a field's annotation."""
    found, todo = [], [field.annotation]
    while todo:
        one = todo.pop()
        todo += get_args(one)
        if isinstance(one, type) and issubclass(one, kind):
            found.append(one)
    return found


def _leaves(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    match value:
        case Mapping():
            for name, item in value.items():
                yield from _leaves(item, (*path, str(name)))
        case list() | tuple():
            for place, item in enumerate(value):
                yield from _leaves(item, (*path, place))
        case _:
            yield path, value
