"""The assumptions, in the order in which a night comes to them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import resources

from runbook.assumptions.night import (
    Night,
    Probe,
    Seen,
    observed,
    performed,
    took_at_most,
    went_through,
)
from state.enums import Status, Track

_DENIED = r"permission denied|must be (owner|superuser|a member)|InsufficientPrivilege"
_MINUTE = 60.0


class Rests(StrEnum):
    """On what blueprime has rested so far where it takes something for true."""

    STRICT = "the lab does so too"
    FAULT = "the lab does either, by a fault"
    DOCUMENTED = "AWS's documents"
    REPORTED = "reports of others"
    GUESSED = "nothing that was found"


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that is taken for true of Aurora."""

    id: str
    says: str
    answer: str
    """What blueprime does about it."""
    rests: Rests
    probe: Probe


def _switched_over_without_logins(night: Night) -> Seen | None:
    taken = next((each for each in night.effects(r"^blue/lock-roles$")), None)
    if taken is None:
        return None
    return went_through("switchover", Track.UPGRADE, refused="(?i)degraded|INVALID_CONFIGURATION")(
        night
    )


def _tags_are_shown(night: Night) -> Seen | None:
    for each in night.evidence:
        if each.key == "holder" and isinstance(each.value, dict) and each.value.get("set"):
            return Seen(True, "a cluster's tag was read back", each.at)
    return None


def _old_blue_stood_still(night: Night) -> Seen | None:
    for each in night.attempts:
        if each.status is Status.FAILED and "Old blue has changed" in each.message:
            return Seen(False, each.message.splitlines()[0], each.ended_at or each.started_at)
    for fact in night.evidence:
        if fact.text.startswith("old blue is unchanged since the freeze (after the clone)"):
            return Seen(True, fact.text, fact.at)
    return None


def _newer_than_the_guide(night: Night) -> Seen | None:
    """Settle by a deployment to 18 or later: the guide's list ends at 17."""
    for fact in night.evidence:
        if fact.step == "preflight" and re.search(r"AWS's guide does not say yet", fact.text):
            return went_through("await-green", refused="(?i)not supported|INVALID_CONFIGURATION")(
                night
            )
    return None


def _counters_went_on(night: Night) -> Seen | None:
    """Settle by what the capture after the switchover was proved by: counters, or the rows."""
    captured = [fact for fact in night.evidence if fact.step == "create-slots"]
    for fact in captured:
        if fact.text.startswith("not told by counters") and "own stamps" in fact.text:
            return Seen(False, fact.text, fact.at)
    if any(fact.text.startswith("not told by counters") for fact in captured):
        return None
    for fact in captured:
        if fact.key == "fence" and fact.value == {**fact.value, "proved": True, "on": "new blue"}:
            return Seen(True, "nothing was written since the freeze, as the counters tell", fact.at)
    return None


def _stray_slots(night: Night) -> Seen | None:
    for fact in night.evidence:
        if fact.key == "protection":
            for reason in fact.value.get("reasons", ()):
                if "cannot be watched" in reason and re.search(_DENIED, reason):
                    return Seen(False, reason, fact.at)
    return observed("slot-on-blue-prime")(night)


def _slots_outlived_a_restart(night: Night) -> Seen | None:
    """Settle by a writer that started after the slots were made, and was drained all the same."""
    made = next((fact.at for fact in night.evidence if fact.key == "capture"), None)
    if made is None:
        return None
    restarted = [
        fact
        for fact in night.evidence
        if fact.key == "marks.new-blue"
        and datetime.fromisoformat(fact.value["postmaster_started"]) > made
    ]
    drained = went_through("drain", Track.ROLLBACK, refused="(?i)slot .* (gone|lost|missing)")(
        night
    )
    if not restarted or drained is None:
        return None
    words = "the writer started anew after the slots were made; "
    return Seen(drained.holds, words + drained.words, drained.at)


PROBES: Mapping[str, Probe] = {
    "blue-green-from-18": _newer_than_the_guide,
    "tags-within-seconds": _tags_are_shown,
    "logins-are-no-ddl": _switched_over_without_logins,
    "switchover-within-a-minute": took_at_most("switchover", _MINUTE, Track.UPGRADE),
    "servers-take-their-new-names": observed("servers-take-their-new-names"),
    "counters-survive-the-switchover": _counters_went_on,
    "master-makes-publications-and-slots": performed(r"/publication$|^blueprime_\w+_\d+$", _DENIED),
    "lock-of-old-blue-is-invisible": observed("lock-of-old-blue-is-invisible"),
    "deployment-goes-within-minutes": took_at_most("delete-deployment", 10 * _MINUTE),
    "old-blue-stands-still": _old_blue_stood_still,
    "clone-within-minutes": took_at_most("clone", 15 * _MINUTE),
    "blue-prime-reaches-new-blue": went_through(
        "subscribe", refused="(?i)could not connect|timed? ?out|no route"
    ),
    "master-makes-subscriptions": performed(r"/subscription$", _DENIED),
    "apply-despite-read-only": went_through(
        "verify-protection", Track.UPGRADE, refused="(?i)read-only transaction"
    ),
    "slot-on-blue-prime": _stray_slots,
    "repairs-may-copy-rows": performed(r"/read$|/recopy", _DENIED),
    "slots-survive-a-failover": _slots_outlived_a_restart,
    "blue-prime-publishes": went_through(
        "create-slots", Track.ROLLBACK, refused="(?i)wal_level|replication slots"
    ),
    "rename-within-minutes": took_at_most("switch-endpoint", 5 * _MINUTE, Track.ROLLBACK),
    "certificates-follow-names": observed("certificates-follow-names"),
}


def _read() -> tuple[Assumption, ...]:
    text = resources.files("runbook.assumptions").joinpath("table.toml").read_text("utf-8")
    return tuple(
        Assumption(
            id=name,
            says=entry["says"],
            answer=entry["answer"],
            rests=Rests[entry["rests"].upper()],
            probe=PROBES[name],
        )
        for name, entry in tomllib.loads(text).items()
    )


ASSUMPTIONS = _read()
