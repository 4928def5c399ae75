"""Records two honest runs on the digits for tests/test_diagnosis.py: what the doctor saw of them, and samples.

``OMP_NUM_THREADS=1 python tests/data/make_doctor_runs.py`` writes doctor_runs.npz beside itself, in about a minute of one
CPU core. Images are kept in 16 shades of grey. Seeds 200 and 201; those of the thresholds are others.
"""

from pathlib import Path

import numpy as np
import torch

from ganedu.data import digits
from ganedu.diagnosis import Doctor
from ganedu.models.dcgan import DCGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Speed, Trainer

N = 256  # samples of each run


def recorded(game, seed, rounds, **settings):
    """(history as (looks,) float arrays, (N, 28, 28) uint8 samples 0..15) of one run, the objective by its name."""
    torch.manual_seed(seed)
    trainer = Trainer(game(), digits(), seed=seed, device="cpu", speed=Speed(tune=False), **settings)
    doctor = Doctor(trainer)
    trainer.add_hook(doctor, every=50)
    trainer.run(rounds)
    for verdict in doctor.verdicts:
        print(f"{game.__name__}, {rounds} rounds: {verdict}")
    history = {key: np.array([np.nan if v is None else v for v in doctor.history[key]]) for key in doctor.history}
    z = trainer.game.sample_z(N, torch.Generator().manual_seed(seed))
    trainer.game.eval()
    with torch.no_grad():
        x_fake = trainer.game.G(z)
    return history, ((x_fake[:, 0] + 1) * 7.5).round().to(torch.uint8).numpy()


if __name__ == "__main__":
    arrays = {}
    for name, run in (
        ("vanilla", lambda: recorded(VanillaGAN, 200, 1500, batch_size=64)),
        ("dcgan", lambda: recorded(DCGAN, 201, 500, batch_size=32, lr=1e-3)),
    ):
        history, arrays[f"{name}/samples"] = run()
        arrays |= {f"{name}/{key}": values.astype(np.float32) for key, values in history.items()}
    path = Path(__file__).with_name("doctor_runs.npz")
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")
