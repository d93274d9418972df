"""Derived seeds."""

from __future__ import annotations

import hashlib

import torch

from tostdsl.engine.seeds import derive, generator


def test_a_seed_is_the_start_of_a_hash() -> None:
    """The first 63 bits of SHA-256 over the JSON list of seed and purpose: the same anywhere."""
    digest = hashlib.sha256(b'[1, "order", 7]').hexdigest()
    assert int(digest[:16], 16) // 2 == derive(1, "order", 7)


def test_every_part_of_the_purpose_counts() -> None:
    """Seeds differ in seed, word, number, order and grouping."""
    given = [
        (0,),
        (1,),
        (0, "a"),
        (0, "b"),
        (0, "a", 1),
        (0, "a", "1"),
        (0, "a", 1, 1),
        (0, "a", 11),
        (0, 1, "a"),
        (0, "ab"),
        (0, "a", "b"),
        (0, 'a", "b'),
    ]
    assert len(given) == len({derive(*parts) for parts in given})


def test_seeds_fit_into_63_bits_and_use_them() -> None:
    """All are positive int64, and the highest bit is set in about half."""
    seeds = [derive(0, "x", index) for index in range(1000)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert 400 < sum(seed >= 2**62 for seed in seeds) < 600


def test_a_generator_starts_anew_each_time() -> None:
    """Two generators of one purpose give the same numbers, global randomness untouched."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = torch.rand(4, generator=generator(3, "mask"))
    assert torch.equal(first, torch.rand(4, generator=generator(3, "mask")))
    assert not torch.equal(first, torch.rand(4, generator=generator(3, "init")))
    assert torch.equal(expected, torch.rand(3))
