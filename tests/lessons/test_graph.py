"""The graph is read in both directions and says what an edge means."""

from __future__ import annotations

import pytest

from rearguard.catalogue import Listener
from rearguard.catalogue import load as load_catalogue
from rearguard.lessons.edges import KINDS, RELATIONS, Edge, Node
from rearguard.lessons.graph import Graph, load_graph, shapes_of
from rearguard.model.errors import InputError

SMALL = Graph(
    [
        Node("incident", "wave", "The wave"),
        Node("mechanism", "open-gate", "Open gate"),
        Node("check", "gate", "?"),
    ],
    [
        Edge(("incident", "wave"), ("mechanism", "open-gate")),
        Edge(("incident", "wave"), ("mechanism", "open-gate")),
        Edge(("check", "gate"), ("mechanism", "closed-gate")),
    ],
)


def test_an_edge_is_read_from_both_ends() -> None:
    assert SMALL.related("wave") == ((Node("mechanism", "open-gate", "Open gate"), "had"),)
    assert SMALL.related("open-gate") == ((Node("incident", "wave", "The wave"), "was seen in"),)
    assert SMALL.neighbours("open-gate", "check") == ()
    assert len(SMALL.edges) == 2


def test_an_end_that_is_missing_and_a_node_without_edges_are_told() -> None:
    ((edge, end),) = SMALL.dangling()
    assert (edge.first, end) == (("check", "gate"), ("mechanism", "closed-gate"))
    assert [node.id for node in SMALL.lonely()] == ["gate"]


def test_a_name_of_two_needs_its_kind() -> None:
    graph = Graph([Node("check", "flood", "1"), Node("finding", "flood", "2")], [])
    assert graph.ambiguous() == ("flood",)
    assert graph.resolve("finding:flood").title == "2"
    with pytest.raises(InputError, match="several") as caught:
        graph.resolve("flood")
    assert "check:flood" in caught.value.remedy


def test_an_unknown_name_is_an_error_with_advice() -> None:
    with pytest.raises(InputError) as caught:
        load_graph().resolve("dt-speedport")
    assert "dt-speedport-2016" in caught.value.remedy


@pytest.mark.parametrize(
    "name",
    ["dt-speedport-2016", "lan-protocol-on-wan", "ope-02", "bbf-tr-124/SEC.GEN.8", "cwmp-cr", "scan", "port-low",
     "wan-silence", "tr064-newntpserver", "CWE-78", "T1190", "CVE-2016-10372", "rfc-8520"],
)  # fmt: skip
def test_every_kind_of_entry_leads_somewhere(name: str) -> None:
    graph = load_graph()
    assert graph.resolve(name).id == name
    assert graph.neighbours(name)


def test_the_wave_of_2016_leads_from_a_finding_to_who_can_act() -> None:
    graph = load_graph()
    behind = [node.id for node in graph.mechanisms_of("exploit-attempt", "cwmp-cr", "tr064-newntpserver")]
    assert behind[0] == "lan-protocol-on-wan"
    advice = {node.id for node in graph.neighbours(behind[0], "recommendation")}
    assert {"man-02", "ope-02"} <= advice
    assert "bbf-tr-124/SEC.GEN.8" in {node.id for node in graph.neighbours("man-02", "clause")}


@pytest.mark.parametrize(
    ("transport", "port", "shapes"),
    [
        ("tcp", 7547, ("tcp-high-new-only", "tcp-high-cut")),
        ("tcp", 1024, ("tcp-high-new-only", "tcp-high-cut")),
        ("tcp", 23, ("port-low",)),
        ("udp", 161, ("port-low",)),
        ("udp", 1023, ("port-low",)),
        ("udp", 1900, ("udp-high",)),
    ],
)
def test_the_shape_of_a_drop_follows_from_the_port(
    transport: str, port: int, shapes: tuple[str, ...]
) -> None:
    graph = load_graph()
    assert shapes_of(transport, port) == shapes
    for shape in shapes:
        assert graph.neighbours(shape, "mechanism"), "a drop without a lesson"


def test_every_interface_that_a_border_can_guard_has_a_shape() -> None:
    graph = load_graph()
    for each in load_catalogue().interfaces:
        guarded = {node.id for node in graph.neighbours(f"interface:{each.id}", "shape")}
        listens = each.listener is Listener.DEVICE
        assert bool(guarded - {"anti-spoof"}) == listens, each.id


def test_every_relation_has_words_for_both_directions() -> None:
    assert all(forth and back for forth, back in RELATIONS.values())
    assert {(edge.first[0], edge.second[0]) for edge in load_graph().edges} == set(RELATIONS)


def test_every_edge_that_is_shipped_is_shown_from_both_ends() -> None:
    """Incidents, finding kinds, shapes of rules, device checks and all others, as ``lessons show`` prints them."""
    graph = load_graph()
    tied = {str(node): dict(graph.related(str(node))) for node in graph.nodes}
    known = {(node.kind, node.id): node for node in graph.nodes}
    kinds = set()
    for edge in graph.edges:
        first, second = known[edge.first], known[edge.second]
        kinds |= {first.kind, second.kind}
        assert tied[str(first)][second] == edge.says[0]
        assert tied[str(second)][first] == edge.says[1]
    assert kinds == set(KINDS)
