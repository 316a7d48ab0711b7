"""How long each wait of a run may take, how often is looked, and how many calls AWS gets."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, Field

from runbook.plan.section import Section

MINUTE, HOUR, DAY = 60, 3600, 86400

# Beyond these ends a figure is a slip that would wait without end or let anything pass.
Pause = Annotated[float, Field(gt=0, le=5 * MINUTE)]
Short = Annotated[float, Field(gt=0, le=HOUR)]
Wait = Annotated[float, Field(gt=0, le=7 * DAY)]
Patience = Annotated[float, Field(ge=0, le=30 * DAY)]
"""Seconds, like those above; 0 is none at all."""


class LimitsSection(Section):
    """How long each wait may take, in seconds."""

    parameter_settle_s: Patience = 300
    """AWS asks for five minutes between making a parameter group and its first use."""
    create_deployment_s: Wait = 4 * 3600
    catch_up_s: Wait = 300
    """For green to follow blue closely before the applications are stopped."""
    delete_deployment_s: Wait = 3600
    switchover_grace_s: Wait = 900
    """Beyond the switchover's own timeout, to see how it ended."""
    clone_s: Wait = 3600
    instance_s: Wait = 3600
    rename_s: Wait = 1800
    capture_s: Wait = 60
    drain_s: Wait = 900
    subscribe_s: Wait = 900
    repair_s: Annotated[Wait, Field(validation_alias=AliasChoices("repair_s", "mend_s"))] = 4 * 3600
    """For one statement that works on a whole table: of a repair, or ANALYZE on green.

    Plans of the first version call it `mend_s`.
    """
    connect_s: Wait = 120
    start_s: Patience = 300
    """For the applications to be seen again, where a person starts them; the run goes on then."""
    patience_s: Patience = 60
    """How long a call is asked for again while AWS refuses it for a state that passes."""
    late_effect_s: Patience = 30
    """How long after a call whose answer was lost its change may still appear in AWS's answers."""
    poll_s: Pause = 5.0
    """The pause between two looks at AWS."""
    fast_poll_s: Pause = 0.5
    """The pause inside the fence, where every second is downtime."""
    watch_every_s: Pause = 20.0
    """The pause between two looks at AWS for what is only shown, while nothing is done."""
    calls_per_s: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Calls to RDS a second, on average, of everything in one process; a fifth of it for what is
    only shown. AWS takes some 12 a second of a whole account and Region, all tools together."""
