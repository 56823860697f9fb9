"""What shall happen on the simulated day: one model with a documented default for everything, read from YAML.

Times are hours after the beginning, rates are means of Poisson processes. What grows with the operator is given
per customer or per address, so that a scenario fits any size.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rearguard.model.errors import Place, PolicyError, UsageError
from rearguard.policy.places import problems_of
from rearguard.policy.values import wrong
from rearguard.policy.yaml_text import read_yaml

__all__ = [
    "Export",
    "Floods",
    "Management",
    "Ordinary",
    "Outbreak",
    "Radiation",
    "Scanners",
    "Scenario",
    "read",
]

Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, le=1e7)]
Positive = Annotated[float, Field(gt=0, le=1e7)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Port = Annotated[int, Field(strict=True, ge=1, le=65_535)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Export(_Part):
    """How the routers see the traffic and make flows of it."""

    exporters: Annotated[int, Field(strict=True, ge=1, le=64)] = 2
    """Border routers; a customer's traffic passes one of them."""
    view: Literal["both", "inbound"] = "both"
    """Every packet where it enters the router, or only what enters from outside (one-way export)."""
    asymmetric: Share = 0.0
    """Share of customers whose outward packets leave by the next router."""
    active_timeout: Positive = 60.0
    """Seconds after which a flow that goes on is exported."""
    inactive_timeout: Positive = 15.0
    """Seconds of silence after which a flow is exported; with FIN or RST it goes within a second."""


class Ordinary(_Part):
    """Customers' own traffic."""

    sessions_per_customer: Rate = 1_500.0
    """Conversations of one customer a day, more in the evening."""
    v6: Share = 0.5
    """Share of customers with IPv6, who use it for half of what they do."""
    odd_client_ports: Share = 0.002
    """Share of TCP sessions whose client port is one of the catalogue (7547, 37215, 5555 ...)."""
    hosting: Share = 0.01
    """Share of customers with a public server of their own on port 443."""
    visits_per_host: Rate = 200.0
    """Visits of such a server a day."""
    live: Share = Field(default=0.7, gt=0)
    """Share of the IPv4 addresses in use; the others are dark."""


class Management(_Part):
    """The operator's controllers and their devices."""

    controllers: Annotated[int, Field(strict=True, ge=1, le=4)] = 3
    managed: Share = 0.9
    """Share of customers whose device the controllers manage."""
    sessions_per_device: Rate = 4.0
    """Sessions that a device opens by itself, a day."""
    requests_per_device: Rate = 2.0
    """Connection Requests that a device gets, a day; each leads to a session within 30 seconds."""
    plain: Share = 0.2
    """Share of sessions that are not inside TLS."""
    open_requests: Share = 0.04
    """Share of managed devices that answer anybody on tcp/7547: the exposed ones, and the worm's prey."""
    open_telnet: Share = 0.01
    """Share of customers with a device that answers telnet to anybody."""
    open_ssdp: Share = 0.005
    """Share of customers with a device that answers SSDP to anybody."""
    refusing: Share = 0.3
    """Share of customers whose closed ports answer with RST; the others are silent."""
    foreign: Count = 5
    """Devices that open their sessions to a foreign controller."""


class Radiation(_Part):
    """What comes from everywhere all the time: single probes with a heavy tail of ports, and backscatter."""

    per_address: Rate = 2.0
    """Probes to one IPv4 address an hour, from ever new sources that try one to four addresses."""
    backscatter: Share = 0.1
    """So much of it is answers to packets that somebody forged in our name."""
    udp: Share = 0.15
    """So much of the rest is UDP."""


class Scanners(_Part):
    """Sources that search: one by one, each on one port."""

    count: Count = 60
    """Independent sources in all, spread over the day."""
    ports: dict[Port, Positive] = Field(
        default_factory=lambda: {
            7547: 4.0,
            23: 4.0,
            2323: 1.0,
            30005: 1.0,
            37215: 1.0,
            8291: 1.0,
            49152: 1.0,
        },
        min_length=1,
    )
    """TCP ports and how often they are chosen, relative to each other."""
    tries_per_hour: Positive = 300.0
    """Median pace; single sources differ by a factor of three and more."""
    hours: Positive = 6.0
    """Median length; a source ends, too, when it has tried every address once."""
    v6: Share = 0.1
    """Share of sources that walk through a list of known IPv6 hosts."""
    surveyors: Count = 2
    """Research scanners: one source sweeps all addresses on one port after the other; in the policy file."""
    surveyor_ports: list[Port] = Field(default_factory=lambda: [7547, 23, 443, 80, 22], min_length=1)
    surveyor_sweeps: Positive = 2.0
    """Ports that a surveyor sweeps in an hour."""


class Outbreak(_Part):
    """A worm: infected hosts outside and inside, whose number grows logistically."""

    begins: float | None = Field(default=None, ge=0)
    """Hours after the beginning; by default after four tenths of the day."""
    doubling_minutes: Positive = 75.0
    """75 minutes were found for the first hours of Mirai (Antonakakis et al., USENIX Security 2017)."""
    seeds: Annotated[float, Field(gt=0, le=1e6)] = 4.0
    """Infected hosts outside at the beginning."""
    hosts: Count = 400
    """Infected hosts outside that ever reach our network."""
    tries_per_hour: Positive = 40.0
    """Median pace at which one of them tries our addresses, at random."""
    ports: dict[Port, Positive] = Field(default_factory=lambda: {7547: 6.0, 23: 3.0, 2323: 1.0}, min_length=1)
    infected: Count = 8
    """Exposed devices of ours that the worm takes."""
    tries_per_second: Positive = 2.0
    """Median pace at which one of ours tries addresses outside."""


class Floods(_Part):
    """Bursts of Connection Requests at single devices, and reflections off devices that answer SSDP."""

    count: Count = 2
    minutes: Positive = 10.0
    per_minute: Positive = 900.0
    sources: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 5
    reflections: Count = 2
    reflection_minutes: Positive = 10.0
    requests_per_minute: Positive = 120.0


class Scenario(_Part):
    """The whole day."""

    start: datetime = datetime(2026, 1, 15, tzinfo=UTC)
    """Beginning, UTC; the diurnal shape has its peak at 20:00."""
    customers: Annotated[int, Field(strict=True, ge=10, le=2_000_000)] = 1_000
    hours: Annotated[float, Field(gt=0, le=24 * 400)] = 24.0
    export: Export = Export()
    ordinary: Ordinary = Ordinary()
    management: Management = Management()
    radiation: Radiation = Radiation()
    scanners: Scanners = Scanners()
    outbreak: Outbreak = Outbreak()
    floods: Floods = Floods()

    @model_validator(mode="after")
    def _fits_the_clock(self) -> Scenario:
        if self.start.year < 1990 or self.start.year > 2100:
            raise wrong(f"the year {self.start.year} is out of range", "choose a start between 1990 and 2100")
        return self

    @property
    def begins(self) -> float:
        """When the worm breaks out, hours."""
        return 0.4 * self.hours if self.outbreak.begins is None else self.outbreak.begins

    @property
    def start_ns(self) -> int:
        """Beginning, ns since the epoch; a time without a zone is UTC."""
        start = self.start if self.start.tzinfo is not None else self.start.replace(tzinfo=UTC)
        return round(start.timestamp()) * 1_000_000_000


def read(file: str | None, **given: Any) -> Scenario:
    """The scenario in a YAML file (none: all defaults), with what the command line ``given`` (None: not) says.

    Raises ``PolicyError`` with file, line and key of everything that is wrong.
    """
    try:
        text = b"" if file is None else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(
            f"the scenario cannot be read: {error.strerror}",
            remedy="docs/simulate.md shows one to start from",
            place=Place(file=file),
        ) from None
    content, places = read_yaml(io.BytesIO(text), file or "")
    content |= {key: value for key, value in given.items() if value is not None}
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        if file is None:
            first = error.errors()[0]
            raise UsageError(
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
                remedy="see `rearguard simulate --help`",
            ) from None
        raise PolicyError(problems_of(error, Scenario, places)) from None
