"""What every section of a plan has in common."""

from __future__ import annotations

import re

from pydantic import AfterValidator, BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the plan file: it takes no other keys than its own, and never changes."""

    # Names and arguments are taken as they stand; what is refused may be a password.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )


def shaped(pattern: str, words: str) -> AfterValidator:
    """Return a check of a whole text by a pattern, told in words."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(words)
        return value

    return AfterValidator(check)
