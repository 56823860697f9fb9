"""The XML tokeniser: SOAP is found in what no parser would accept, and nothing is resolved."""

from __future__ import annotations

import pytest

from rearguard.dialogue.soap import ELEMENTS, leaves, message, unescaped

TIME = b"urn:dslforum-org:service:Time:1"


def envelope(inside: bytes, head: bytes = b"") -> bytes:
    return b'<s:Envelope xmlns:s="http://e"' + head + b"><s:Body>" + inside + b"</s:Body></s:Envelope>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"<a>1</a><b>2</b>", [(b"a", b"1"), (b"b", b"2")]),
        (b"<n:a x='1'>1</n:a>", [(b"a", b"1")]),
        (b"<a>1<b>2", [(b"a", b"1"), (b"b", b"2")]),
        (b"<a>1</wrong>", [(b"a", b"1")]),
        (b"<a/><b/>x", []),
        (b"<a> </a>", []),
        (
            b"<a>x &amp; y &#36;(id) &#x60; &unknown; &#55296;</a>",
            [(b"a", b"x & y $(id) ` &unknown; &#55296;")],
        ),
        (b"<a><![CDATA[`<cd>` &amp;]]></a>", [(b"a", b"`<cd>` &amp;")]),
        (b"<a>x<![CDATA[y]]>z</a>", [(b"a", b"xyz")]),
        (b"<a><![CDATA[open", [(b"a", b"open")]),
        (b"<a>x<!-- <b>no</b> -->y</a>", [(b"a", b"xy")]),
        (b"<a>cat <file; 2>/dev/null</a>", [(b"a", b"cat <file; 2>/dev/null")]),
        (b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///x'>]><a>&e;</a>", [(b"a", b"&e;")]),
        (b"<a><b><c>deep</c></b></a>", [(b"c", b"deep")]),
        (b"no markup < at all >", []),
    ],
)
def test_leaves(text: bytes, expected: list[tuple[bytes, bytes]]) -> None:
    assert [(leaf.name, leaf.value) for leaf in leaves(text)] == expected


def test_a_leaf_knows_where_its_value_begins() -> None:
    text = b"<a>\n<b>first</b><c><![CDATA[second]]></c></a>"
    assert [text[leaf.at :][:5] for leaf in leaves(text)] == [b"first", b"secon"]


@pytest.mark.parametrize(
    ("body", "header", "action", "service"),
    [
        (envelope(b'<u:Set xmlns:u="' + TIME + b'"><A>1</A></u:Set>'), b"", b"Set", TIME),
        (envelope(b"<u:Set><A>1</A></u:Set>", b' xmlns:u="' + TIME + b'"'), b"", b"Set", TIME),
        (envelope(b'<Set xmlns="' + TIME + b'"/>'), b"", b"Set", TIME),
        (envelope(b"<u:Set><A>1</A>"), b'"' + TIME + b'#Other"', b"Set", TIME),
        (envelope(b"<!-- <x> --><u:Set>"), b"", b"Set", b""),
        (b"", b'"' + TIME + b'#Set"', b"Set", TIME),
        (b"not xml", TIME + b"#Set", b"Set", TIME),
        (b"<A>1</A>", TIME + b"#Set", b"Set", TIME),
        (envelope(b"<s:Fault><faultcode>x</faultcode></s:Fault>"), b"", b"Fault", b"http://e"),
    ],
)
def test_action_and_service(body: bytes, header: bytes, action: bytes, service: bytes) -> None:
    found = message(body, header)
    assert found is not None
    assert (found.action, found.service, found.fault) == (action, service, action == b"Fault")


@pytest.mark.parametrize("body", [b"", b"<html><body>", b"a=b&c=d", b"<Body>"])
def test_what_is_no_message(body: bytes) -> None:
    assert message(body) is None


def test_parameters_are_those_of_the_action() -> None:
    found = message(b"<E><Header><ID>7</ID></Header><Body><u:A><P>1</P><Q>2</Q></u:A></Body></E>")
    assert found is not None
    assert [(leaf.name, leaf.value) for leaf in found.leaves] == [(b"P", b"1"), (b"Q", b"2")]


def test_no_more_elements_than_the_limit() -> None:
    assert len(leaves(b"<a>1" * 5000)) <= ELEMENTS


def test_entities_are_decoded_once() -> None:
    assert unescaped(b"&amp;lt;") == b"&lt;"
