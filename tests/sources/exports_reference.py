"""NetFlow and IPFIX decoded slowly and plainly: the other opinion. It knows no bounds and no sequence numbers."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from .exports_records import Key, Records, by_uptime, mapped

__all__ = ["Reference"]


@dataclass
class Reference(Records):
    """Feed it one datagram after the other."""

    templates: dict[object, dict[int, tuple[int | None, list[tuple[int, int, int]]]]] = field(
        default_factory=dict
    )
    held: list[tuple[object, int, int, int, int, bytes]] = field(default_factory=list)
    last: dict[object, list[bytes]] = field(default_factory=dict)

    def feed(self, data: bytes, source: int) -> None:
        """One datagram."""
        if len(data) < 2:
            self.skipped["bad-datagram"] += 1
            return
        version = int.from_bytes(data[:2], "big")
        sizes = {1: 16, 5: 24, 7: 24, 9: 20, 10: 16}
        if version not in sizes:
            self.skipped["unknown-version"] += 1
            return
        if len(data) < sizes[version]:
            self.skipped["bad-datagram"] += 1
            return
        domains = {5: data[20:22], 9: data[16:20], 10: data[12:16]}
        who = (source, version, domains.get(version, b""))
        heard = self.last.setdefault(who, [])
        if data in heard[-64:]:
            self.skipped["duplicate-datagram"] += 1
            return
        heard.append(data)
        if version < 9:
            self._fixed(data, who, version, sizes[version])
        elif version == 9:
            up, seconds = struct.unpack(">II", data[4:12])
            self._sets(data[20:], who, 9, seconds * 10**9, up)
        else:
            length, seconds = struct.unpack(">HI", data[2:8])
            if length > len(data) or length < 16:
                self.skipped["bad-datagram"] += 1
            self._sets(data[16 : max(16, length)], who, 10, seconds * 10**9, 0)

    def finish(self) -> None:
        """What waits has waited in vain."""
        self.skipped["no-template"] += len(self.held)

    # The fixed versions.

    def _fixed(self, data: bytes, who: object, version: int, head: int) -> None:
        count, up, seconds, nanoseconds = struct.unpack(">HIII", data[2:16])
        size = 48 if version == 5 else 52
        there = (len(data) - head) // size
        if count > there:
            self.skipped["bad-datagram"] += 1
        rate = struct.unpack(">H", data[22:24])[0] & 0x3FFF if version == 5 else 0
        export = seconds * 10**9 + min(nanoseconds, 10**9 - 1)
        for i in range(min(count, there)):
            r = data[head + i * size :][:size]
            src, dst, _, ingress, egress, packets, octets, first, last, sport, dport = struct.unpack(
                ">IIIHHIIIIHH", r[:36]
            )
            self.records += 1
            if packets == 0 and octets == 0:
                self.skipped["empty-flow"] += 1
                continue
            start = by_uptime(export, up, first)
            self.row(
                start, max(start, by_uptime(export, up, last)), mapped(src), mapped(dst), sport, dport, r[38],
                r[40] if version == 1 else r[37], packets, octets, rate, self.place(who, ingress, egress, 0),
            )  # fmt: skip

    # Sets and templates.

    def _sets(self, body: bytes, who: object, version: int, export: int, up: int) -> None:
        while len(body) >= 4:
            number, length = struct.unpack(">HH", body[:4])
            if length < 4:
                if number or length:
                    self.skipped["bad-datagram"] += 1
                return
            if length > len(body):
                self.skipped["bad-datagram"] += 1
            one, body = body[4:length], body[length:]
            if number in ((0, 1) if version == 9 else (2, 3)):
                self._templates(one, who, version, number in (1, 3))
            elif number >= 256:
                if number in self.templates.get(who, {}):
                    self._data(one, who, number, version, export, up)
                else:
                    self.held.append((who, number, version, export, up, one))

    def _templates(self, body: bytes, who: object, version: int, options: bool) -> None:
        mine = self.templates.setdefault(who, {})
        new: list[int] = []
        while len(body) >= 4 and any(body[:4]):
            number, count = struct.unpack(">HH", body[:4])
            body = body[4:]
            if version == 10 and count == 0:
                if number >= 256:
                    mine.pop(number, None)
                    if number in new:
                        new.remove(number)
                elif number == (3 if options else 2):
                    for other in [n for n, (scopes, _) in mine.items() if (scopes is not None) == options]:
                        del mine[other]
                else:
                    self.skipped["bad-datagram"] += 1
                    break
                continue
            scopes: int | None = None
            if options:
                if len(body) < 2:
                    self.skipped["bad-datagram"] += 1
                    break
                (second,) = struct.unpack(">H", body[:2])
                body = body[2:]
                scopes, count = (count // 4, count // 4 + second // 4) if version == 9 else (second, count)
            if number < 256 or not 0 < count <= 512 or (scopes or 0) > count:
                self.skipped["bad-datagram"] += 1
                break
            fields = []
            for place in range(count):
                if len(body) < 4:
                    break
                element, length = struct.unpack(">HH", body[:4])
                body = body[4:]
                enterprise = -1 if version == 9 and place < (scopes or 0) else 0
                if version == 10 and element >= 0x8000:
                    if len(body) < 4:
                        break
                    (enterprise,) = struct.unpack(">I", body[:4])
                    body = body[4:]
                    element -= 0x8000
                fields.append((enterprise, element, length))
            if len(fields) < count:
                self.skipped["bad-datagram"] += 1
                break
            if sum(length for _, _, length in fields) == 0:
                continue
            if mine.get(number) != (scopes, fields):
                mine[number] = scopes, fields
                new.append(number)
        for number in new:
            ready = [one for one in self.held if one[:2] == (who, number)]
            self.held = [one for one in self.held if one[:2] != (who, number)]
            for _, _, held_version, export, up, one in ready:
                if number in mine:
                    self._data(one, who, number, held_version, export, up)

    # Records.

    def _data(self, body: bytes, who: object, number: int, version: int, export: int, up: int) -> None:
        scopes, fields = self.templates[who][number]
        least = sum(1 if length == 65_535 else length for _, _, length in fields)
        records: list[list[tuple[Key, bytes]]] = []
        broken = False
        while len(body) >= least:
            record = []
            for enterprise, element, length in fields:
                if length == 65_535:
                    element = -1  # no number has a length of its own
                    length, body = (body[0], body[1:]) if body else (1, b"")
                    if length == 255:
                        length, body = (
                            (struct.unpack(">H", body[:2])[0], body[2:]) if len(body) >= 2 else (1, b"")
                        )
                if length > len(body):
                    broken = True
                    break
                record.append(((enterprise, element), body[:length]))
                body = body[length:]
            if broken:
                break
            records.append(record)
        have = {(enterprise, element, length) for enterprise, element, length in fields}
        pairs = {(0, 8, 4), (0, 12, 4)} <= have or {(0, 27, 16), (0, 28, 16)} <= have
        if scopes is None and pairs:
            for record in records:
                self.records += 1
                self.record(record, who, version, export, up)
            if broken:
                self.records += 1
                self.skipped["bad-flow-record"] += 1
            return
        if broken:
            self.skipped["bad-flow-record"] += 1
        whole = [] if broken else records
        if scopes is None:
            self.records += len(whole)
            self.skipped["no-addresses"] += len(whole)
            return
        self.skipped["option-record"] += len(whole)
        for record in records[:512]:
            self.option(record, scopes, who)
