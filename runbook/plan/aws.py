"""Whose AWS credentials a run uses."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from runbook.aws.sessions import Access
from runbook.plan.section import Section, shaped


class AwsSection(Section):
    """A profile, and a role to assume. Left empty, what the environment says counts."""

    profile: str = ""
    """Of `~/.aws/config`."""
    role_arn: Annotated[
        str,
        shaped(
            r"|arn:aws[\w-]*:iam::[0-9]{12}:role/\S+",
            'must be the ARN of a role: "arn:aws:iam::123456789012:role/..."',
        ),
    ] = ""
    """Assumed with the profile's or the environment's credentials, and anew before they end."""
    mfa_serial: str = ""
    """The device whose code the role demands; blueprime asks for it, and keeps none."""
    external_id: str = ""

    @model_validator(mode="after")
    def _complete(self) -> AwsSection:
        if (self.mfa_serial or self.external_id) and not self.role_arn:
            raise ValueError(
                "mfa_serial and external_id go with role_arn; those of a profile stand in "
                "~/.aws/config"
            )
        return self

    @property
    def access(self) -> Access:
        """Return whose credentials are used, as a session of AWS takes it."""
        return Access(self.profile, self.role_arn, self.mfa_serial, self.external_id)
