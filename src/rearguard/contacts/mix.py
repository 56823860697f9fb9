"""The hash of the caches and sketches: a multiply-add over the words of a key, then a 64-bit finaliser.

The constants are odd numbers without structure (the initial words of SHA-512, FIPS 180-4 section 5.3.5); the
finaliser is the one of MurmurHash3 (Appleby, public domain). An attacker who picks addresses that collide gets
rows evicted earlier, which costs time and loses nothing.
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import inlined

__all__ = ["finish", "mix2", "mix5"]

_A = np.uint64(0x6A09E667F3BCC909)
_B = np.uint64(0xBB67AE8584CAA73B)
_C = np.uint64(0x3C6EF372FE94F82B)
_D = np.uint64(0xA54FF53A5F1D36F1)
_E = np.uint64(0x510E527FADE682D1)
_M1 = np.uint64(0xFF51AFD7ED558CCD)
_M2 = np.uint64(0xC4CEB9FE1A85EC53)
_33 = np.uint64(33)


@inlined
def finish(h: np.uint64) -> np.uint64:
    """Spread every bit over the whole word."""
    h = (h ^ (h >> _33)) * _M1
    h = (h ^ (h >> _33)) * _M2
    return h ^ (h >> _33)


@inlined
def mix2(a: np.uint64, b: np.uint64) -> np.uint64:
    """Hash of two words."""
    return finish(a * _A + (b ^ (b >> _33)) * _B)


@inlined
def mix5(a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64, e: np.uint64) -> np.uint64:
    """Hash of five words."""
    return finish(a * _A + (b ^ (b >> _33)) * _B + c * _C + (d ^ (d >> _33)) * _D + e * _E)
