"""Which AWS Region a command asks where it was given none."""

from __future__ import annotations

import os

from tui.cli.exits import USAGE, stop


def default_region() -> str:
    """Return the Region of the environment or of the AWS profile; end the program without one."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region:
        return region
    import boto3

    found = boto3.session.Session().region_name
    if not found:
        stop("No AWS Region is set. Nothing was asked. Give --region or set AWS_REGION.", USAGE)
    return str(found)
