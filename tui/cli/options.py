"""Options that several commands take, and numbers on the command line that have an end."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

MFA_VARIABLE = "BLUEPRIME_MFA_CODE"

F = TypeVar("F", bound=Callable[..., Any])


class Finite(click.FloatRange):
    """A range of numbers without inf and nan, which no comparison would catch."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; fail in words where it is none with an end."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number with an end.", param, ctx)
        return number


def as_json(words: str = "Print JSON instead of text.") -> Callable[[F], F]:
    """Return the option `--json`, with what it is said to print."""
    return click.option("--json", "as_json", is_flag=True, help=words)


def mfa_code() -> Callable[[F], F]:
    """Return the option `--mfa-code`: a code of a second factor, for the next sign-in."""

    def give(context: click.Context, option: click.Parameter, value: str | None) -> None:
        # The plan's own commands have no use for it.
        given = value or os.environ.pop(MFA_VARIABLE, "")
        if not given:
            return
        from runbook.aws.mfa import CODES

        try:
            CODES.give(given)
        except ValueError as error:
            raise click.BadParameter(str(error), context, option) from None

    words = f"The code that the profile's second factor shows now (or {MFA_VARIABLE})."
    return click.option("--mfa-code", expose_value=False, callback=give, help=words)


class Way(click.ParamType[tuple[str, str]]):
    """An endpoint and the end of the tunnel to it: `ENDPOINT=ADDRESS:PORT`."""

    name = "endpoint=address:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return both; fail in words where one is missing."""
        endpoint, equals, end = str(value).rpartition("=")
        if not (endpoint and equals and end):
            self.fail(f'{value} is no "endpoint=address:port".', param, ctx)
        return endpoint, end


def via(words: str) -> Callable[[F], F]:
    """Return the option `--via`, given once for each tunnel."""
    return click.option("--via", type=Way(), multiple=True, help=words)


def order() -> Callable[[F], F]:
    """Return the option `--order` of a new plan."""
    return click.option(
        "--order",
        type=click.Choice(["traffic-first", "protect-first"]),
        default="traffic-first",
        show_default=True,
        help="Whether the applications are let in before blue prime is protected, or after.",
    )


def lab_options(pace: float | None) -> Callable[[F], F]:
    """Return the options that every lab is started with; `pace` is the default of `--pace`."""

    def add(command: F) -> F:
        # The last one that is added stands first in the help.
        for option in reversed(_lab_options(pace)):
            command = option(command)
        return command

    return add


def _lab_options(pace: float | None) -> tuple[Callable[[F], F], ...]:
    return (
        click.option(
            "--pace",
            type=Finite(0),
            default=pace,
            show_default=pace is not None,
            help="1: AWS's durations, 0: none.",
        ),
        click.option(
            "--databases",
            type=click.IntRange(1, 20),
            default=2,
            show_default=True,
            help="Databases of production.",
        ),
        click.option(
            "--tables", type=click.IntRange(0, 20000), default=0, help="Plain tables added to each."
        ),
        click.option(
            "--load", type=Finite(0), default=40.0, show_default=True, help="Transactions a second."
        ),
        click.option(
            "--from",
            "from_version",
            default="16",
            show_default=True,
            help="PostgreSQL that production runs on.",
        ),
        click.option(
            "--to",
            "to_version",
            default="18",
            show_default=True,
            help="PostgreSQL that it is upgraded to.",
        ),
        click.option(
            "--postgres",
            multiple=True,
            metavar="MAJOR=BINDIR",
            help="The programs of another installed major, e.g. 15=/usr/lib/postgresql/15/bin.",
        ),
        click.option(
            "--rights",
            type=click.Choice(["aurora", "superuser"]),
            default="aurora",
            show_default=True,
            help="What the plan's user may do: as on Aurora, or everything.",
        ),
        click.option(
            "--lives-with", type=int, hidden=True, help="A pid that the lab may not outlive."
        ),
    )
