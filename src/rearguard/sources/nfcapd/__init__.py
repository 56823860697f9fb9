"""Files of nfcapd, the collector of nfdump: layout 1 (nfdump 1.6) and layout 2 (nfdump 1.7).

Facts about the format are from nfdump's headers (``nffile.h``, ``nffileV2.h``, ``nfx.h``, ``nfxV3.h``,
``exporter.h``) and from files that nfdump 1.7.1 wrote. A file is a header and blocks, each compressed by itself;
a block is records, each with its type and size in front:

=====================  ========================================  ==========================================
record                 layout 1                                  layout 2
=====================  ========================================  ==========================================
a flow                 types 1, 10: fixed fields, then the       type 11: a list of elements, each with its
                       extensions that a *map* (type 2) lists    type and size (:mod:`.elements`)
                       (:mod:`.mapped`)
an exporter            type 7: address, domain, its number       the same
what it sent           type 8: datagrams, flows, sequence gaps   the same
its sampling           type 9                                    types 9, 15
=====================  ========================================  ==========================================

All numbers are in the byte order of the machine that wrote the file; the magic number tells which.

:mod:`.layout` has the headers, :mod:`.unpack`, :mod:`.lzo` and :mod:`.lz4` (with :mod:`.copies`) unpack blocks,
:mod:`.state` is what the records that are no flows say to those that are, :mod:`.shapes` remembers where the fields
of records of layout 2 lie, :mod:`.rows` makes rows, and :mod:`.reader` is the source.
"""
