"""Every number that decides what becomes a finding, and every bound on what is kept, each with its trade-off.

A field's ``unit`` stands beside its description, so that `docs/policy.md`, the schema for editors and the
report that used a threshold all say the same. Change one under ``thresholds`` or ``limits`` in the policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rearguard.policy.values import wrong

__all__ = ["Explained", "Limits", "Thresholds", "explain_fields"]


def _number(default: float, unit: str, text: str, **bounds: Any) -> Any:
    """A field with its unit; ``bounds`` are those of pydantic (gt, ge, lt, le)."""
    return Field(default=default, description=text, json_schema_extra={"unit": unit}, **bounds)


Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Factor = Annotated[float, Field(strict=True, le=1e6)]


class Thresholds(BaseModel):
    """When is it a finding? Numbers of rules B1 to B14."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scan_targets: Count = _number(
        10,
        "distinct devices",
        "A source that tries this many devices on one interface within `scan_window` is a scan, below it a "
        "probe; between the two only the word and the severity change, since a stranger on a management "
        "interface has no innocent way out: lower calls more visitors scanners, higher names careful scanners "
        "probes (rule B1).",
    )
    scan_window: Count = _number(
        600,
        "seconds",
        "The time in which `scan_targets` must be reached: longer finds slower scanners and keeps more "
        "sources in memory (rule B1).",
    )
    scan_ports: Count = _number(
        10,
        "distinct ports",
        "A source that tries this many ports of one device within `scan_ports_window` is a vertical scan; "
        "ports outside the catalogue count only where nothing answered, so that passive FTP or a busy server "
        "is none: lower finds partial sweeps and accuses who knocks at a server that is down (rule B1).",
    )
    scan_ports_window: Count = _number(
        600,
        "seconds",
        "The time in which `scan_ports` must be reached: longer finds slower sweeps and adds up more "
        "innocent use of many ports (rule B1).",
    )
    fan_targets: Count = _number(
        25,
        "distinct devices",
        "A source that fails at this many devices on one TCP port outside the catalogue within `scan_window` "
        "is a scan: lower finds careful scanners and accuses programs that look for their peers (rule B1).",
    )
    slow_scan_targets: Count = _number(
        100,
        "distinct devices",
        "A source that tries this many devices over the whole input is a slow scan even if no window held "
        "enough: lower finds more patience, and the longer the input the more chance does it too (rule B1).",
    )
    trw_theta0: Share = _number(
        0.8,
        "probability",
        "How often the first try of an innocent source succeeds: higher decides sooner and accuses sources "
        "whose targets have just gone away (Threshold Random Walk, rule B1).",
    )
    trw_theta1: Share = _number(
        0.2,
        "probability",
        "How often the first try of a scanner succeeds: higher covers scanners that know live addresses and "
        "needs more tries to decide (rule B1).",
    )
    trw_alpha: Share = _number(
        1e-5,
        "probability",
        "Accepted chance to accuse an innocent source: smaller accuses fewer and needs more tries (rule B1).",
    )
    trw_beta: Share = _number(
        0.99,
        "probability",
        "Wanted chance to find a scanner: higher misses fewer and clears innocent sources later (rule B1).",
    )
    compromised_targets: Count = _number(
        25,
        "distinct destinations",
        "A device that tries this many destinations outward on one interface within `compromised_window` "
        "may be taken over: lower finds throttled worms and accuses peer-to-peer programs (rule B9).",
    )
    compromised_slash24: Count = _number(
        20,
        "distinct /24 (IPv6: /48)",
        "So many networks must the destinations lie in: higher spares technicians who work through one "
        "site and misses worms that stay near (rule B9).",
    )
    compromised_window: Count = _number(
        600,
        "seconds",
        "The time in which both must be reached: longer finds slower worms and adds up more innocent "
        "connections (rule B9).",
    )
    compromised_bare_share: Share = _number(
        0.9,
        "share",
        "At least this share of the tries must stay bare SYNs: lower finds worms among many open targets "
        "and accuses busy clients (rule B9).",
    )
    mirai_hits: Count = _number(
        2,
        "packets",
        "So many SYNs whose sequence number is the destination address name the Mirai family: one happens "
        "by chance once in 2^32 SYNs, two never by chance in practice (rule B9).",
    )
    flood_per_minute: Count = _number(
        120,
        "initiations a minute at one device",
        "From this rate on one interface a device is flooded: lower warns before weak devices fall and "
        "fires on eager monitoring (rule B12).",
    )
    flood_factor: Factor = _number(
        10.0,
        "times the baseline",
        "With a baseline, a flood must also exceed it by this factor: lower finds small floods and fires on "
        "busy evenings (rule B12).",
        gt=1,
    )
    surge_false_alarms: Factor = _number(
        1.0,
        "false alarms a day, all ports together",
        "The budget of the port-surge test: more warns earlier and is wrong more often (rule B13).",
        gt=0,
    )
    surge_min_sources: Count = _number(
        10,
        "distinct /24 (IPv6: /48) a minute",
        "Below this a surge is not reported, however unusual: lower sees young outbreaks on quiet ports and "
        "reports small coincidences (rule B13).",
    )
    surge_min_factor: Factor = _number(
        3.0,
        "times the baseline",
        "A surge must exceed the port's baseline by this factor: lower sees slower growth and reports "
        "ordinary daily swings (rule B13).",
        gt=1,
    )
    surge_baseline_minutes: Count = _number(
        30,
        "minutes",
        "So long is a port's level learned before it is judged: shorter judges sooner after a start on a "
        "baseline that knows less (rule B13).",
    )
    reflector_min_packets: Count = _number(
        20,
        "requests",
        "Fewer requests to a device's UDP service are no reflection: lower finds short attacks and reports "
        "single surveys (rule B4).",
    )
    reflector_ratio: Factor = _number(
        2.0,
        "bytes out per byte in",
        "So much more must the device answer than it was asked: lower finds weak amplifiers and reports "
        "ordinary lookups (rule B4).",
        gt=0,
    )
    exposed_payload_remotes: Count = _number(
        3,
        "distinct remotes",
        "Where flags cannot prove it, payload from the port must reach this many remotes on ephemeral "
        "ports: lower finds more open devices and mistakes a client's own port for a service (rule B7).",
    )
    exposed_alike_ports: Count = _number(
        24,
        "distinct ports",
        "An address that answers on this many ports alike is told as a proxy or a forwarded host: lower "
        "explains more of them away, among them devices that truly are open (rule B7).",
    )
    grace: Count = _number(
        30,
        "seconds",
        "A contact is judged when it has been quiet for so long: longer waits for late answers and warns "
        "later.",
    )
    infection_window: Count = _number(
        600,
        "seconds",
        "A device that fetches from the host its attacker named is taken over if it does so within this "
        "time: longer finds slow loaders and adds chance meetings at big hosters (rule B9).",
    )

    @model_validator(mode="after")
    def _walk_has_a_direction(self) -> Thresholds:
        if self.trw_theta1 >= self.trw_theta0:
            raise wrong(
                f"trw_theta1 ({self.trw_theta1}) is not below trw_theta0 ({self.trw_theta0})",
                "a scanner must succeed less often than an innocent source: lower trw_theta1",
            )
        if self.trw_alpha >= self.trw_beta:
            raise wrong(
                f"trw_alpha ({self.trw_alpha}) is not below trw_beta ({self.trw_beta})",
                "lower trw_alpha; 0.00001 is the default",
            )
        return self


class Limits(BaseModel):
    """What is kept at most. Whatever a limit leaves out is counted and said in the report."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lone_clients: Count = _number(
        100_000,
        "sources",
        "Sources that sent one packet and never again are told one by one up to this number, then only "
        "counted: more costs memory in spoofed floods.",
    )
    findings_per_kind: Count = _number(
        2_000,
        "findings",
        "The worst so many of each kind are written, the rest counted: more makes the report harder to read.",
    )
    evidence: Count = _number(
        5, "records", "Records that prove a finding: more proves no better and makes the files larger."
    )
    peers_sample: Count = _number(
        10, "addresses", "Addresses named of a finding's other side: more makes the files larger."
    )
    memory_mb: Annotated[int, Field(strict=True, ge=64, le=1 << 20)] = _number(
        192,
        "MiB",
        "Memory of the questions that detectors ask: too little for a very large input is an error that says so.",
    )


@dataclass(frozen=True, slots=True)
class Explained:
    """One number of a model, ready to be shown."""

    key: str
    default: object
    value: object
    unit: str
    text: str


def explain_fields(model: Thresholds | Limits) -> Iterator[Explained]:
    """Each field with its default, the value that holds in ``model``, its unit and its trade-off."""
    for key, field in type(model).model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        yield Explained(key, field.default, getattr(model, key), str(extra["unit"]), field.description or "")
