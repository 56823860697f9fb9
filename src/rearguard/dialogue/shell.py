"""Shell commands in values that are none: where one is injected, and which hosts it names.

A quote, an ampersand, a semicolon or a dollar sign is no attack: names of networks have them, passwords and
URLs too. What makes an injection is a place where a shell would begin a command, followed by a command:

* ``$(`` or a backtick, then a command of :data:`_PLAIN`, or one that is also a word (``cat``) with an argument;
* ``;``, ``|``, ``&`` or a line end, then a command that is no word, or one that is with an argument which only
  a command has: an option, a path, a variable, a number, a script.

``$IFS`` counts as a blank. All repetitions are bounded, so the cost is linear in the value.
Nothing that is named here is ever looked up or contacted.
"""

from __future__ import annotations

import ipaddress
import re
from itertools import islice

__all__ = ["command", "host_of", "hosts", "injection"]

NAMED = 16
"""The most hosts or URLs of one text."""
CONSIDERED = 64
"""The most places of one text at which they are looked for."""

_PLAIN = (
    rb"wget|curl|tftp|ftpget|busybox|telnetd|utelnetd|dropbear|chmod|chown|nvram|iptables|killall|mknod|mkfifo|"
    rb"nslookup|uname|ifconfig|netcat|ncat|mkdir|ulimit|setenforce|insmod|printf|base64|whoami|passwd|nohup"
)
_WORDS = (
    rb"cat|cd|echo|sh|bash|ash|ls|id|ps|nc|rm|cp|mv|dd|ping6?|sleep|kill|touch|export|reboot|python[23]?|perl|"
    rb"php|awk|sed|head|tail|tar|u?mount|exec|env|poweroff|halt"
)
_GAP = rb"(?:[ \t]|\$\{?IFS\}?(?:\$9)?){1,8}"
_LEAD = rb"[ \t\"']{0,8}(?:(?:/usr)?/s?bin/)?(?:busybox[ \t]{1,8})?"
_ENDS = rb"(?=[\s;|&`)<>\"'$#]|\Z)"
_ARGUMENT = _GAP + rb"(?:[\"']?[-/~$*>.]|[\"']?https?:|&&|\|\||[\w.-]{1,64}\.(?:sh|cgi|bin|mips|arm)\b)"
_INJECTION = re.compile(
    rb"(?:`|\$\()" + _LEAD
    + rb"(?:(?:" + _PLAIN + rb"|reboot|id|ls|ps)" + _ENDS + rb"|(?:" + _WORDS + rb")(?:" + _GAP + rb"\S|;|&&))"
    rb"|(?:;|\|\|?|&&?|[\r\n])" + _LEAD
    + rb"(?:(?:" + _PLAIN + rb")" + _ENDS + rb"|(?:" + _WORDS + rb")" + _ARGUMENT
    + rb"|(?:sleep|ping6?|kill)" + _GAP + rb"[\d.-]|reboot(?=[;|&#`]|\Z))"
    rb"|[;|](?:id|ls|ps)(?=[;|#])"
)  # fmt: skip
_SPECIAL = re.compile(rb"[`;|&\r\n]|\$\(")
_COMMAND = re.compile(
    _LEAD + rb"(?:(?:" + _PLAIN + rb"|reboot)" + _ENDS + rb"|(?:" + _WORDS + rb")" + _ARGUMENT + rb")"
)
_IFS = re.compile(rb"\$\{?IFS\}?(?:\$9)?")

_URL = re.compile(rb"(?:https?|ftp|tftp)://([^\s\"'`<>;|&)\\]{1,300})", re.IGNORECASE)
_FETCH = re.compile(rb"(?:^|[\s;|&`(/])(wget|curl|tftp|ftpget|nc|netcat)[ \t]{1,8}([^;|&`)\r\n]{1,300})")
_TAKES_VALUE = {
    b"wget": b"OPTUlrxo",
    b"curl": b"oAXHdumTe",
    b"tftp": b"lrb",
    b"ftpget": b"uPp",
    b"nc": b"pswe",
    b"netcat": b"pswe",
}
"""Options that are followed by a value of their own: BusyBox's, curl's and those of modified BusyBox builds."""
_NAME = re.compile(rb"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,10}[a-z][a-z0-9-]{1,62}")


def injection(value: bytes) -> tuple[int, int] | None:
    """Where a command is injected into the value, begin and end; None when none is."""
    if _SPECIAL.search(value) is None:
        return None
    found = _INJECTION.search(value)
    return found.span() if found else None


def command(value: bytes) -> bool:
    """Whether the value itself begins with a shell command and its argument."""
    return _COMMAND.match(value) is not None


def hosts(text: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hosts that a text names, and its URLs, each once in order of appearance.

    A host comes from a URL or from a place where a download command takes one. An address is given in its
    usual form, a name in lower case; what is neither is left out.
    """
    text = _IFS.sub(b" ", text)
    urls: dict[str, None] = {}
    named: dict[str, None] = {}
    for match in islice(_URL.finditer(text), CONSIDERED):
        host = host_of(match[1])
        if host:
            named[host] = None
            urls[match[0].decode("latin-1")] = None
    for match in islice(_FETCH.finditer(text), CONSIDERED):
        host = host_of(_positional(match[1], match[2].split()))
        if host:
            named[host] = None
    return tuple(named)[:NAMED], tuple(urls)[:NAMED]


def _positional(program: bytes, arguments: list[bytes]) -> bytes:
    """The first argument that is neither an option nor an option's value."""
    takes = _TAKES_VALUE[program]
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument.startswith(b"-"):
            skip = len(argument) == 2 and argument[1:] in takes
        elif b"://" not in argument:
            return argument.strip(b"\"'")
        else:
            break
    return b""


def host_of(text: bytes) -> str:
    """The host of ``user@host:port/path``; empty when it is no address and no name with a dot."""
    place = re.split(rb"[/?#$]", text, maxsplit=1)[0].rpartition(b"@")[2].lower()
    if place.startswith(b"["):
        place = place[1:].partition(b"]")[0]
    elif place.count(b":") == 1:
        place = place.partition(b":")[0]
    place = place.rstrip(b".")
    try:
        return str(ipaddress.ip_address(place.decode("ascii")))
    except (ValueError, UnicodeDecodeError):
        return place.decode("ascii") if len(place) <= 253 and _NAME.fullmatch(place) else ""
