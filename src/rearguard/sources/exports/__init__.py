"""Flow export: the decoder of NetFlow v1, v5, v7, v9 and IPFIX datagrams, for captures, files and the collector."""

from rearguard.sources.exports.datagrams import Datagrams, new_datagrams, speaks
from rearguard.sources.exports.decoder import Bounds, Decoder

__all__ = ["Bounds", "Datagrams", "Decoder", "new_datagrams", "speaks"]
