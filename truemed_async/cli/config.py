"""``truemed config``: the configuration file and its profiles."""

from typing import Annotated

import attrs
from cyclopts import App

from truemed_async.cli.fields import RowLayout
from truemed_async.cli.options import CONTEXT
from truemed_async.cli.output import Streams
from truemed_async.cli.profiles import Profile, config_path, read_profiles
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput
from truemed_async.errors import ConfigurationError

PROFILES = RowLayout(columns=tuple(field.name for field in attrs.fields(Profile)))


def make_app() -> App:
    """Return ``truemed config``."""
    app = App(name="config", help="The configuration file: its path and its profiles. It never holds a key.")
    app.command(show_path, name="path")
    app.command(list_profiles, name="list")
    app.command(show_profile, name="show")
    return app


def show_path(*, streams: Annotated[Streams, CONTEXT]) -> None:
    """Print the path of the configuration file, which need not exist."""
    streams.print_data(str(config_path()))


def list_profiles(*, output: RowOutput = ROW_OUTPUT, streams: Annotated[Streams, CONTEXT]) -> None:
    """List the profiles, and where the API key of each is."""
    target = output.prepare(streams, PROFILES)
    target.write(
        [attrs.asdict(profile) for profile in read_profiles().values()], empty=f"{config_path()} has no profiles"
    )


def show_profile(name: str, /, *, output: RowOutput = ROW_OUTPUT, streams: Annotated[Streams, CONTEXT]) -> None:
    """Show a profile.

    To see which profile, key and server a command uses, run `truemed whoami`.

    Args:
        name: The name of the profile.
    """
    target = output.prepare(streams, PROFILES)
    profile = read_profiles().get(name)
    if profile is None:
        raise ConfigurationError(f"there is no such profile in {config_path()}; see truemed config list")
    target.write_object(attrs.asdict(profile))
