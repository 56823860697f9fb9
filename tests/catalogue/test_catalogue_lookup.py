"""Looking things up by name, family and port, and being told what was meant when the name is wrong."""

from __future__ import annotations

import pytest

from rearguard.catalogue import Catalogue, Initiator, Interface, Listener, Port, Source, Standing, load
from rearguard.model.errors import InputError, UsageError


def interface(name: str, *ports: Port, family: str = "f", listener: Listener = Listener.DEVICE) -> Interface:
    return Interface(
        id=name,
        family=family,
        title=name,
        listener=listener,
        ports=ports or (port(1),),
        initiators=(Initiator.OWNER_ON_LAN,),
        origin="From home.",
        lan_only=False,
        amplifies=False,
        factor="",
        shared_port=False,
        collateral="None.",
        mechanisms=(),
        incidents=(),
        sources=(Source("t", "https://example.org/", "n"),),
    )


def port(number: int, standing: Standing = Standing.DEFAULT, *, opt_in: bool = False) -> Port:
    return Port("tcp", number, standing, shared=False, opt_in=opt_in, note="")


@pytest.mark.parametrize(
    ("transport", "number", "listener", "expected"),
    [
        ("tcp", 7547, "device", ["cwmp-cr", "tr064"]),
        ("tcp", 7547, "controller", ["cwmp-acs"]),
        ("udp", 7547, "device", ["cwmp-udp-cr"]),
        ("tcp", 5555, "device", ["adb", "cwmp-cr", "tr064"]),
        ("tcp", 80, "device", ["http-admin", "hnap"]),
        ("tcp", 8080, "device", ["http-admin", "hnap"]),
        ("tcp", 1900, "device", []),
        ("tcp", 12345, "device", []),
    ],
)
def test_the_best_interface_of_a_port_comes_first(
    transport: str, number: int, listener: str, expected: list[str]
) -> None:
    assert [each.id for each in load().listening(transport, number, listener)] == expected


def test_owner_then_standing_then_name_decide_the_order() -> None:
    catalogue = Catalogue(
        (
            interface("b-observed", port(9), port(7, Standing.OBSERVED)),
            interface("a-observed", port(9), port(7, Standing.OBSERVED)),
            interface("registered", port(9), port(7, Standing.REGISTERED)),
            interface("default", port(9), port(7, Standing.DEFAULT)),
            interface("owner", port(7, Standing.OBSERVED)),
        )
    )
    order = [each.id for each in catalogue.listening("tcp", 7)]
    assert order == ["owner", "registered", "default", "a-observed", "b-observed"]


def test_listeners_are_kept_apart_and_may_be_given_as_enum_or_text() -> None:
    catalogue = load()
    assert catalogue.listening("tcp", 7547, Listener.DEVICE) == catalogue.listening("tcp", 7547, "device")
    assert catalogue.ports(None) == catalogue.ports("device") | catalogue.ports("controller")


def test_opt_in_ports_are_found_but_not_watched() -> None:
    catalogue = Catalogue((interface("one", port(5), port(6, opt_in=True)),))
    assert catalogue.ports() == {("tcp", 5)}
    assert catalogue.ports(opt_in=True) == {("tcp", 5), ("tcp", 6)}
    assert [each.id for each in catalogue.listening("tcp", 6)] == ["one"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cwmp-cr"], {"cwmp-cr"}),
        (["telnet", "telnet"], {"telnet"}),
        (["upnp"], {"upnp-soap", "ssdp"}),
        (["upnp", "ssdp", "winbox"], {"upnp-soap", "ssdp", "winbox"}),
        ([], set()),
    ],
)
def test_ids_and_families_resolve_to_ids(names: list[str], expected: set[str]) -> None:
    assert load().resolve(names) == expected


def test_a_misspelt_name_in_a_policy_is_answered_with_what_was_meant() -> None:
    with pytest.raises(UsageError, match="did you mean cwmp-cr") as caught:
        load().resolve(["telnet", "cwmp-rc"])
    assert "cwmp-rc is neither" in caught.value.problem


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("telnett", "did you mean telnet"),
        ("upnp", "its members are upnp-soap, ssdp"),
        ("zzzzzzzz", "`rearguard catalogue` lists"),
    ],
)
def test_an_unknown_entry_is_answered_with_what_there_is(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load().get(name)


def test_an_id_that_is_used_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        Catalogue((interface("same", family="a"), interface("same", family="b")))


def test_an_id_that_is_another_family_is_refused() -> None:
    with pytest.raises(InputError, match="also a family"):
        Catalogue((interface("cwmp", family="other"), interface("x", family="cwmp")))


def test_the_order_is_stable_and_the_catalogue_read_once() -> None:
    assert load() is load()
    assert list(load().families) == sorted(load().families)
