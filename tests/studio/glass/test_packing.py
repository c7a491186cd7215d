"""The file of the glass box, read by a reader of its own."""

import json
import struct

import numpy as np
import pytest

from sluice.studio.glass.packing import PackError, pack, quantise, restore, unpack

ARRAYS = {
    "odd": np.arange(5, dtype=np.uint8),
    "words": np.array([[1, 65535], [2, 3]], dtype=np.uint16),
    "reals": np.array([0.5, -1.25, 3e-8], dtype=np.float32),
}


def test_a_plain_reader_finds_what_was_packed():
    content = pack({"title": "Cáit"}, ARRAYS)
    assert content[:8] == b"SLUICEGB"
    version, length = struct.unpack("<II", content[8:16])
    header = json.loads(content[16 : 16 + length].decode())
    assert version == 1
    assert header["title"] == "Cáit"
    data = content[16 + length :]
    assert (16 + length) % 8 == 0
    assert list(data[:5]) == [0, 1, 2, 3, 4]
    at = header["arrays"]["words"]["offset"]
    assert struct.unpack("<4H", data[at : at + 8]) == (1, 65535, 2, 3)
    at = header["arrays"]["reals"]["offset"]
    assert np.frombuffer(data[at : at + 12], "<f4").tolist() == ARRAYS["reals"].tolist()


def test_unpack_returns_shapes_and_types():
    header, arrays = unpack(pack({}, ARRAYS))
    assert {n: (a.dtype, a.shape) for n, a in arrays.items()} == {
        n: (a.dtype, a.shape) for n, a in ARRAYS.items()
    }
    assert list(header["arrays"]) == list(ARRAYS)


@pytest.mark.parametrize("keep", [0, 7, 15, 40, -1])
def test_a_truncated_file_is_refused(keep):
    with pytest.raises(PackError):
        unpack(pack({}, ARRAYS)[:keep])


def test_another_file_is_refused():
    content = bytearray(pack({}, ARRAYS))
    content[8] = 2
    with pytest.raises(PackError, match="version 1"):
        unpack(bytes(content))


def test_an_array_of_another_type_is_no_part_of_a_file():
    with pytest.raises(TypeError, match="f8"):
        pack({}, {"a": np.zeros(2)})


def test_quantised_values_are_within_half_a_step():
    values = np.random.default_rng(0).normal(size=(50, 7)) * [1e-3, 1, 5, 100, 0.1, 1, 0]
    found, limits = quantise(values)
    steps = (values.max(axis=0) - values.min(axis=0)) / 255
    assert (np.abs(restore(found, limits) - values) <= steps / 2 * (1 + 1e-4) + 1e-9).all()
    assert found[:, 6].tolist() == [0] * 50
