"""Kept memory and kept programs: far fewer page faults, the same numbers to the bit, and whoever set another way is obeyed."""

import json
import os
import subprocess
import sys

import pytest
import torch

from ganedu.speed import Speed, compiled, memory

needs_glibc = pytest.mark.skipif(not memory.is_glibc(), reason="memory does not come from glibc's own malloc here")
RUN = """
import json, resource, sys, torch
from ganedu.data import digits
from ganedu.models.dcgan import DCGAN
from ganedu.training import Speed, Trainer
torch.set_num_threads(1)
torch.manual_seed(0)
speed = Speed(tune=False, keep_memory=sys.argv[1] == "kept")
trainer = Trainer(DCGAN(), digits(), batch_size=256, device="cpu", seed=0, speed=speed).run(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
trainer.run(10)
faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10
sums = [p.double().sum().item().hex() for p in trainer.game.parameters()]
print(json.dumps({"faults": faults, "sums": sums}))
"""


def run(how, **environment):
    result = subprocess.run(
        [sys.executable, "-c", RUN, how], capture_output=True, text=True, env={**os.environ, **environment}, check=True
    )
    return json.loads(result.stdout)


@needs_glibc
@pytest.mark.slow
def test_a_round_fetches_its_memory_once_and_computes_the_same():
    fetched, kept = run("fetched"), run("kept")
    assert kept["sums"] == fetched["sums"]
    assert fetched["faults"] > 500  # what there is to gain, or this test shows nothing
    assert kept["faults"] < 0.2 * fetched["faults"]


@needs_glibc
def test_settings_of_the_user_are_left_alone(monkeypatch):
    monkeypatch.setenv("MALLOC_TOP_PAD_", "131072")
    memory.keep_memory.cache_clear()
    try:
        assert memory.keep_memory() is False
    finally:
        memory.keep_memory.cache_clear()


@pytest.mark.parametrize(
    ("platform", "preloaded"), [("darwin", ""), ("win32", ""), ("linux", "/usr/lib/libjemalloc.so")]
)
def test_another_allocator_is_left_alone(monkeypatch, platform, preloaded):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("LD_PRELOAD", preloaded)
    assert memory.is_glibc() is False
    memory.keep_memory.cache_clear()
    try:
        assert memory.keep_memory() is False
    finally:
        memory.keep_memory.cache_clear()


def test_a_trainer_may_be_told_to_leave_memory_alone(monkeypatch):
    asked = []
    monkeypatch.setattr("ganedu.speed.keep_memory", lambda: asked.append(1))
    game = torch.nn.Linear(1, 1)
    game.players = ()
    Speed(keep_memory=False).prepare(game)
    assert not asked
    Speed().prepare(game)
    assert asked
    with pytest.raises(TypeError, match="keep_memory: got 'no', wants True or False"):
        Speed(keep_memory="no")


@pytest.mark.parametrize(
    ("present", "kept"),
    [
        (None, "programs"),
        ("torch's own", "programs"),  # as it stands once torch has looked for it
        ("{tmp}/torchinductor_of_mine", "torchinductor_of_mine"),
        ("/elsewhere/of/mine", "mine"),
    ],
)
def test_programs_are_kept_in_the_users_cache_unless_told_otherwise(monkeypatch, tmp_path, present, kept):
    import tempfile

    monkeypatch.setenv("GANEDU_CACHE", str(tmp_path))
    if present is None:
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    elif present == "torch's own":
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
        from torch._inductor.runtime.cache_dir_utils import cache_dir

        assert cache_dir() == os.environ["TORCHINDUCTOR_CACHE_DIR"]  # looking for it sets it
    else:
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", present.format(tmp=tempfile.gettempdir()))
    compiled.keep_programs()
    assert os.path.basename(os.environ["TORCHINDUCTOR_CACHE_DIR"]) == kept
