"""Device, tier and seed: what is chosen, and how a wrong one is refused."""

import random

import numpy as np
import pytest
import torch

from ganedu.runtime import lesson_seed, resolve_device, seed_all, tier


def test_the_cpu_is_always_there():
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("found", [False, True])
def test_cuda_is_taken_where_there_is_one(monkeypatch, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    if found:  # with its number, which some functions of torch.cuda ask for
        assert resolve_device() == resolve_device("cuda") == torch.device("cuda:1")
        assert resolve_device("cuda:0") == torch.device("cuda:0")
    assert resolve_device().type == ("cuda" if found else "cpu")
    monkeypatch.delenv("GANEDU_TIER", raising=False)
    assert tier() == ("gpu" if found else "cpu")


@pytest.mark.parametrize("name", ["tpu", "mps", "", 1.5])
def test_an_unknown_device_is_named(name):
    with pytest.raises(ValueError, match=r"^device: got .*, wants one of: cpu"):
        resolve_device(name)


def test_a_device_that_this_machine_lacks_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="got 'cuda', wants one of: cpu .this machine has no CUDA device."):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match=r"got 'cuda:2', .*; 2 CUDA device"):
        resolve_device("cuda:2")


def test_the_argument_wins_over_the_environment_wins_over_the_hardware(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("GANEDU_TIER", "cpu")
    assert tier() == "cpu"
    assert tier("gpu") == "gpu"


def test_an_unknown_tier_is_named(monkeypatch):
    with pytest.raises(ValueError, match="^tier: got 'laptop', wants one of 'cpu', 'gpu'"):
        tier("laptop")
    monkeypatch.setenv("GANEDU_TIER", "fast")
    with pytest.raises(ValueError, match="^GANEDU_TIER: got 'fast', wants one of 'cpu', 'gpu'"):
        tier()


def test_one_seed_fixes_python_numpy_and_torch():
    def draw(seed):
        seed_all(seed)
        return random.random(), np.random.rand(), torch.rand(()).item()

    assert draw(3) == draw(3)
    assert all(a != b for a, b in zip(draw(3), draw(4)))


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (0.5, TypeError), (True, TypeError), ("0", TypeError)])
def test_a_seed_that_is_none_is_named(seed, error):
    with pytest.raises(error, match="^seed: got .*, wants a whole number of at least 0"):
        seed_all(seed)


def test_the_lessons_seed(monkeypatch):
    monkeypatch.delenv("GANEDU_SEED", raising=False)
    assert lesson_seed() == 0
    monkeypatch.setenv("GANEDU_SEED", "17")
    assert lesson_seed() == 17
    for text in ("-1", "two", ""):
        monkeypatch.setenv("GANEDU_SEED", text)
        with pytest.raises(ValueError, match="^GANEDU_SEED: got .*, wants a whole number of at least 0"):
            lesson_seed()
