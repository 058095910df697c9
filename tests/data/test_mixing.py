"""The stream of a joint training: shares, order, processes."""

from itertools import islice

import numpy as np
import pytest
import torch
from detectron2.data.samplers import RepeatFactorTrainingSampler, TrainingSampler
from detectron2.utils import comm

from rcf_vis.data.mixing import RatioSampler, dataset_shares

SIZES = (7, 200, 40)


def mix(shares=(0.5, 0.2, 0.3), seed=5) -> RatioSampler:
    return RatioSampler(
        samplers=[TrainingSampler(size, seed=seed + k) for k, size in enumerate(SIZES)],
        sizes=SIZES,
        shares=shares,
        seed=seed,
    )


def take(sampler, count: int) -> np.ndarray:
    return np.array(list(islice(sampler, count)))


def dataset_of(indices: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.cumsum(SIZES), indices, side="right")


@pytest.mark.parametrize("shares", [(0.5, 0.2, 0.3), (0.05, 0.05, 0.9), (1.0, 0.0, 0.0)])
def test_shares_are_kept_whatever_the_sizes(shares):
    count = 20000
    found = np.bincount(dataset_of(take(mix(shares), count)), minlength=3) / count
    deviation = np.sqrt(np.multiply(shares, np.subtract(1, shares)) / count)
    assert (np.abs(found - shares) <= 3.5 * deviation).all(), found


def test_shares_hold_from_the_first_clip_on():
    firsts = [dataset_of(take(mix(seed=seed), 4)) for seed in range(500)]
    found = np.bincount(np.concatenate(firsts), minlength=3) / 2000
    np.testing.assert_allclose(found, (0.5, 0.2, 0.3), atol=0.04)  # 3.6 deviations


def test_each_set_is_gone_through_before_it_starts_again():
    indices = take(mix(), 5000)
    for k, size in enumerate(SIZES):
        own = indices[dataset_of(indices) == k] - sum(SIZES[:k])
        np.testing.assert_array_equal(own, take(TrainingSampler(size, seed=5 + k), len(own)))
        assert sorted(own[:size]) == list(range(size))


def test_the_seed_decides():
    np.testing.assert_array_equal(take(mix(), 300), take(mix(), 300))
    assert (take(mix(), 300) != take(mix(seed=6), 300)).any()
    sampler = mix()
    np.testing.assert_array_equal(take(sampler, 300), take(sampler, 300))


def test_without_a_seed_one_is_drawn():
    def start(seed):
        np.random.seed(seed)
        sampler = RatioSampler(samplers=[range(10**6)] * 2, sizes=[1, 1], shares=[0.5, 0.5])
        return take(sampler, 64).tolist()

    assert start(0) == start(0) != start(1)


def test_processes_have_their_own_parts(monkeypatch):
    monkeypatch.setattr(comm, "get_world_size", lambda: 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(comm, "get_rank", lambda rank=rank: rank)
        parts.append(take(mix(), 4000))
    sets = [dataset_of(part) for part in parts]
    assert (sets[0] != sets[1]).mean() > 0.5  # 0.62 expected: not in step
    for part in sets:
        np.testing.assert_allclose(np.bincount(part) / 4000, (0.5, 0.2, 0.3), atol=0.028)
    for k, size in enumerate(SIZES):  # a round of a set is shared out: no record comes twice
        halves = [part[of == k] for part, of in zip(parts, sets, strict=True)]
        once = np.concatenate([halves[0][: (size + 1) // 2], halves[1][: size // 2]])
        assert sorted(once - sum(SIZES[:k])) == list(range(size))


def test_repeat_factors_hold_within_a_set():
    factors = torch.tensor([1.0, 1.0, 3.0])
    samplers = [TrainingSampler(10, seed=0), RepeatFactorTrainingSampler(factors, seed=1)]
    sampler = RatioSampler(samplers=samplers, sizes=[10, 3], shares=[0.75, 0.25], seed=2)
    counts = np.bincount(take(sampler, 8000), minlength=13)
    assert counts[:10].sum() / 8000 == pytest.approx(0.75, abs=0.017)
    np.testing.assert_allclose(counts[10:] / counts[10:].sum(), (0.2, 0.2, 0.6), atol=0.01)


def test_ratios_become_shares():
    assert dataset_shares([], ["a", "b"]) is None
    assert dataset_shares([3, 1], ["a", "b"]) == [0.75, 0.25]
    assert dataset_shares([0.5, 0, 1.5], ["a", "b", "c"]) == [0.25, 0.0, 0.75]


@pytest.mark.parametrize(
    "ratio",
    [
        [1.0],
        [1.0, 2.0, 3.0],
        [1.0, -0.5],
        [0.0, 0.0],
        [1.0, float("nan")],
        [1, float("inf")],
        [1, "2"],
    ],
)
def test_a_ratio_that_does_not_fit_is_named(ratio):
    with pytest.raises(
        ValueError, match=r"DATASETS\.DATASET_RATIO is \[.*expected 2 num.*\(a, b\)"
    ):
        dataset_shares(ratio, ["a", "b"])


def test_one_of_each_for_a_set():
    with pytest.raises(ValueError, match="2 samplers, 1 sizes and 2 shares"):
        RatioSampler(samplers=[[0], [0]], sizes=[1], shares=[0.5, 0.5], seed=0)
