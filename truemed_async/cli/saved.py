"""What an emulator keeps in a file from one run to the next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs
import orjson
from attrs.validators import instance_of

from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async.emulator import Emulator


@attrs.frozen(kw_only=True)
class Saved:
    """Everything that an emulator knows; the secrets in it open nothing else."""

    api_key: str = attrs.field(repr=False, validator=instance_of(str))
    webhooks: Mapping[str, Any] = attrs.field(repr=False, validator=instance_of(dict))
    state: Mapping[str, Any] = attrs.field(repr=False, validator=instance_of(dict))

    @classmethod
    def of(cls, emulator: Emulator) -> Self:
        """Return what an emulator knows now."""
        return cls(api_key=emulator.api_key, webhooks=emulator.webhooks.dump(), state=emulator.state.dump())

    def into(self, emulator: Emulator) -> None:
        """Let an emulator know this, and nothing else."""
        try:
            emulator.state.load(self.state)
            emulator.webhooks.load(self.webhooks)
        except ValueError:
            raise _unreadable() from None


def read_saved(path: Path | None, option: str) -> Saved | None:
    """Return what the file of an option holds, or None when there is no such file."""
    if path is None or not path.exists():
        return None
    try:
        held = orjson.loads(path.read_bytes())
        return Saved(api_key=held["api_key"], webhooks=held["webhooks"], state=held["state"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _unreadable() from None
    except OSError as error:
        raise InvalidArgumentError(f"{option} cannot be read: {error.strerror}") from error


def write_saved(path: Path, saved: Saved) -> None:
    """Write the file anew, readable by its owner alone; the old one stays until the new one is whole."""
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, for the mode it was made with
        file.write(orjson.dumps(attrs.asdict(saved, recurse=False), option=orjson.OPT_INDENT_2))
    fresh.replace(path)


def _unreadable() -> InvalidArgumentError:
    return InvalidArgumentError("the file is not what `truemed emulator --state` writes")
