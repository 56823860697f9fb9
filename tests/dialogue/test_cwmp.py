"""CWMP in clear: the Inform, the methods of both sides, and the secrets that pass."""

from __future__ import annotations

import pytest
from tests.dialogue.said import heard

C, S = "client", "server"


def envelope(method: str, inside: str = "", namespace: str = "urn:dslforum-org:cwmp-1-0") -> bytes:
    return (
        f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:cwmp="{namespace}">'
        f"<soap:Header><cwmp:ID>1</cwmp:ID></soap:Header><soap:Body><cwmp:{method}>{inside}</cwmp:{method}>"
        "</soap:Body></soap:Envelope>"
    ).encode()


def post(body: bytes) -> tuple[str, bytes]:
    return (
        C,
        b'POST /acs HTTP/1.1\r\nHost: acs.example\r\nSOAPAction: ""\r\nContent-Length: %d\r\n\r\n' % len(body)
        + body,
    )


def answer(body: bytes) -> tuple[str, bytes]:
    return S, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


INFORM = envelope(
    "Inform",
    "<DeviceId><Manufacturer>M &amp; Co</Manufacturer><OUI>00AA00</OUI><ProductClass>Box</ProductClass>"
    "<SerialNumber>S1</SerialNumber></DeviceId><Event><EventStruct><EventCode>0 BOOTSTRAP</EventCode>"
    "<CommandKey></CommandKey></EventStruct><EventStruct><EventCode>1 BOOT</EventCode></EventStruct></Event>"
    "<ParameterList><ParameterValueStruct><Name>Device.DeviceInfo.SoftwareVersion</Name><Value>1.2</Value>"
    "</ParameterValueStruct><ParameterValueStruct><Name>Device.ManagementServer.ConnectionRequestURL</Name>"
    "<Value>http://192.0.2.1:30005/x</Value></ParameterValueStruct></ParameterList>",
)


@pytest.mark.parametrize("port", [80, 7547, 50001])
def test_an_inform_is_understood_on_any_port(port: int) -> None:
    found = heard([post(INFORM), answer(envelope("InformResponse"))], port=port)
    assert found.inform is not None
    inform = found.inform
    assert (inform.manufacturer, inform.oui, inform.product_class, inform.serial) == (
        "M & Co",
        "00AA00",
        "Box",
        "S1",
    )
    assert (inform.software, inform.url) == ("1.2", "http://192.0.2.1:30005/x")
    assert inform.events == ("0 BOOTSTRAP", "1 BOOT")
    assert found.rpcs == ("Inform", "InformResponse")
    assert (found.identity, found.answer, found.fetch) == ("cwmp-acs", "soap", ("acs.example",))


def test_an_inform_alone_proves_no_controller() -> None:
    found = heard([post(INFORM)])
    assert found.inform is not None
    assert found.identity is None


def test_another_protocol_s_inform_is_none() -> None:
    assert heard([post(INFORM.replace(b"urn:dslforum-org:cwmp-1-0", b"urn:example"))]).inform is None


def test_secrets_of_either_side_are_named_and_masked() -> None:
    values = "".join(
        f"<ParameterValueStruct><Name>{name}</Name><Value>{value}</Value></ParameterValueStruct>"
        for name, value in (
            ("Device.ManagementServer.ConnectionRequestPassword", "hunter2"),
            ("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "hunter3"),
            ("Device.WiFi.SSID.1.SSID", "`a`;$b&amp;c"),
        )
    )
    turns = [
        post(INFORM),
        answer(envelope("SetParameterValues", values)),
        post(envelope("SetParameterValuesResponse")),
        answer(
            envelope(
                "Download", "<URL>http://acs/f?a;b</URL><Username>u</Username><Password>hunter4</Password>"
            )
        ),
    ]
    found = heard(turns)
    assert [secret.shown for secret in found.secrets] == [
        "device.managementserver.connectionrequestpassword = ********",
        "device.wifi.accesspoint.1.security.keypassphrase = ********",
        "Password = ********",
    ]
    assert {secret.proof.from_server for secret in found.secrets} == {True}
    assert [secret.proof.rec for secret in found.secrets] == [2, 2, 4]
    assert "hunter" not in repr(found)
    assert found.hits == ()
