"""ESP's packets against the RFC's, and against whatever comes."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from netrelay.reference.net.esp.algorithms import AUTHENTICATIONS, CIPHERS, Cipher
from netrelay.reference.net.esp.association import Association, Opened

# RFC 3602, section 4, case 5: a ping in transport mode, without what authenticates it.
KEY = bytes.fromhex("90d382b410eeba7ad938c46cec1a82bf")
VECTOR = bytes.fromhex("e96e8c08ab465763fd098d45dd3ff893")
PING = bytes.fromhex("08000ebda70a00008e9c083db95b0700") + bytes(range(8, 0x38))
SEALED = bytes.fromhex(
    "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
    "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
    "a269add047ad2d5913ac19b7cfbad4a6"
)


def test_the_rfc_s_packet_is_made_and_opened() -> None:
    association = Association(0x4321)
    association.cipher = CIPHERS[b"aes_128_cbc"][1](KEY)
    with patch.object(Cipher, "vector", return_value=VECTOR):
        packet = association.seal(PING, 1)
    assert packet == bytes.fromhex("0000432100000001") + VECTOR + SEALED
    assert association.open(packet) == Opened(1, PING)


@given(st.sampled_from(list(CIPHERS)), st.sampled_from(list(AUTHENTICATIONS)), st.binary())
def test_nothing_that_comes_is_more_than_refused(cipher: bytes, mac: bytes, packet: bytes) -> None:
    association = Association(256)
    size, make = CIPHERS[cipher]
    association.cipher = make(bytes(range(size)))
    size, sign = AUTHENTICATIONS[mac]
    association.authentication = sign(bytes(size))
    opened = association.open(packet)
    assert opened is None or (mac == b"null" and opened.payload)
