"""Inception-v3: its layers against what is published of it, its features against those that torch-fidelity computes."""

import hashlib
import math

import numpy as np
import pytest
import torch
from torch import nn

from ganedu.metrics import inception
from ganedu.metrics.fid import fid
from ganedu.metrics.inception import InceptionV3, inception_features, load_inception, prepare


def drawn_weights():
    """Weights that anyone can draw again (NumPy keeps this generator as it is), scaled so that the signal does not die."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in InceptionV3().state_dict().items()}
    draw, state = np.random.RandomState(0), {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            continue
        values = draw.standard_normal(tuple(shape))
        if len(shape) > 1:
            values *= math.sqrt(3 / math.prod(shape[1:]))
        elif name.endswith(("bn.weight", "running_var")):
            values = np.exp(0.1 * values)
        else:
            values *= 0.1
        state[name] = torch.from_numpy(values).float()
    return state


def picture():
    """Two (3, 40, 7) images of 0..255."""
    return torch.from_numpy(np.random.RandomState(1).randint(0, 256, (2, 3, 5, 7), np.uint8)).repeat_interleave(8, 2)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "drawn.pth"
    torch.save(drawn_weights(), path)
    return path


def test_parameters_are_as_many_as_published():
    """Keras: 23,817,352 trainable with 1,000 classes and no scale in batch norm, of which there are 17,216 channels."""
    with torch.device("meta"):
        net = InceptionV3()
    scales = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    assert scales == 17_216
    assert sum(p.numel() for p in net.parameters()) == 23_817_352 + 17_216 + 8 * 2049  # and 1,008 classes


def test_shapes_are_the_papers():
    """Table 1 of the paper, with the padding of the released net: 35x35x288, 17x17x768, 8x8x1280, 8x8x2048."""
    with torch.device("meta"):
        net, x = InceptionV3().eval(), torch.empty(2, 3, 299, 299)
        seen = {}
        for name in (
            "Conv2d_2b_3x3",
            "Conv2d_4a_3x3",
            "Mixed_5b",
            "Mixed_5d",
            "Mixed_6a",
            "Mixed_6e",
            "Mixed_7a",
            "Mixed_7c",
        ):
            net.get_submodule(name).register_forward_hook(
                lambda m, i, o, name=name: seen.update({name: tuple(o.shape[1:])})
            )
        assert net(x).shape == (2, 1008) and net.features(x).shape == (2, 2048)
    assert seen == {
        "Conv2d_2b_3x3": (64, 147, 147),
        "Conv2d_4a_3x3": (192, 71, 71),
        "Mixed_5b": (256, 35, 35),
        "Mixed_5d": (288, 35, 35),
        "Mixed_6a": (768, 17, 17),
        "Mixed_6e": (768, 17, 17),
        "Mixed_7a": (1280, 8, 8),
        "Mixed_7c": (2048, 8, 8),
    }


def test_features_are_those_of_torch_fidelity(weights):
    """The constants: features 0, 130, 260, ... of ``picture()`` by torch-fidelity 0.4.0, given ``drawn_weights()``."""
    net = load_inception(weights)
    with torch.no_grad():
        features = net.features(prepare(picture().float() / 127.5 - 1))
        logits = net.fc(features)
    np.testing.assert_allclose(features[:, ::130].numpy(), FEATURES, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(logits[:, ::252].numpy(), LOGITS, rtol=1e-3, atol=1e-3)


FEATURES = [
    [
        117.39508,
        161.42867,
        35.18195,
        93.93874,
        3.57794,
        14.8196,
        36.36516,
        95.41658,
        11.35779,
        3.89277,
        144.92812,
        76.15955,
        51.83123,
        72.24577,
        129.69414,
        571.94604,
    ],
    [
        122.66302,
        191.60196,
        37.42159,
        117.87804,
        1.9619,
        22.71418,
        36.33403,
        117.57261,
        13.4094,
        1.76182,
        164.35292,
        100.07561,
        61.72098,
        94.04072,
        168.67256,
        684.84277,
    ],
]
LOGITS = [[-26.97473, 25.68479, 254.91525, 9.86729], [-44.69437, 41.7193, 309.31223, 20.72155]]


def test_resizing_starts_at_the_first_pixel():
    """TensorFlow 1: output i is read at i * old / new, so a ramp stays a ramp from its first pixel, and ends early."""
    ramp = torch.arange(40.0)[None, None, None].expand(1, 1, 2, 40)
    got = inception.resize(ramp, 3)
    np.testing.assert_allclose(got[0, 0, 0].numpy(), np.minimum(np.arange(299) * 40 / 299, 39), atol=1e-4)
    same = torch.rand(1, 1, 299, 3)
    assert torch.equal(inception.resize(same, 2), same)
    small = inception.resize(torch.rand(1, 1, 1, 600), 3)
    assert small.shape == (1, 1, 1, 299)


def test_prepared_images():
    x = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1).expand(3, 1, 4, 6)
    ready = prepare(x)
    assert ready.shape == (3, 3, 299, 299)
    assert (
        ready.amin((1, 2, 3)).tolist() == ready.amax((1, 2, 3)).tolist() == [-1.0, 0.0, 127 / 128]
    )  # of 0, 128 and 255


@pytest.mark.slow
def test_fid_goes_by_its_own_name(weights):
    features = inception_features(weights)
    g = torch.Generator().manual_seed(0)
    x = torch.rand(3, 1, 28, 28, generator=g) * 2 - 1
    result = fid(x, [x[:2], x[2:]], features, batch_size=2)
    assert result.value == pytest.approx(0, abs=1e-3)  # 2,048 features of three images: a covariance of rank 2
    assert result[1:] == (3, 3, "2,048 features of Inception-v3 (2015)", "FID")
    assert str(result).startswith("FID 0.00 (n = 3 against 3 real")


# --- where the weights come from ----------------------------------------------------------------------------------


def test_without_weights_one_sentence_says_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError) as error:
        inception_features()
    said = str(error.value)
    assert said.startswith(
        f"weights: found no Inception-v3 weights in {tmp_path / 'checkpoints'}, wants pt_inception-2015"
    )
    assert "https://" in said and "\n" not in said
    with pytest.raises(FileNotFoundError, match=f"^weights: got {tmp_path / 'gone.pth'}, where there is no file"):
        load_inception(tmp_path / "gone.pth")


@pytest.mark.parametrize("name", inception.FILES)
def test_weights_in_torchs_cache_are_found(tmp_path, monkeypatch, name, weights):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    place = tmp_path / "checkpoints" / name
    place.write_bytes(weights.read_bytes())
    with pytest.raises(
        ValueError, match="whose content is not what its name says"
    ):  # 6726825d is another content's hash
        load_inception()
    monkeypatch.setattr(inception, "FILES", (digested(place),))
    assert load_inception().fc.bias.shape == (1008,)


def digested(path):
    """Rename the file so that it ends in its own hash; the new name."""
    name = f"own-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    path.rename(path.with_name(name))
    return name


def test_other_weights_are_refused(tmp_path):
    path = tmp_path / "w.pth"
    for state, words in (
        ({"fc.bias": torch.zeros(1000)}, "another training of the net with 1,000 classes"),
        ({"fc.bias": torch.zeros(1008)}, "weights of another net"),
        ([1, 2], "weights of another net"),
    ):
        torch.save(state, path)
        with pytest.raises(ValueError, match=words):
            load_inception(path)
    path.write_bytes(b"not a file of weights")
    with pytest.raises(ValueError, match="which is no file of weights"):
        load_inception(path)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), TypeError, "images: got torch.uint8, wants"),
        (np.zeros((2, 3, 8, 8)), TypeError, "images: got float64, wants"),
        (torch.zeros(2, 2, 8, 8), ValueError, r"images: got shape \(2, 2, 8, 8\)"),
        (torch.zeros(3, 8, 8), ValueError, r"images: got shape \(3, 8, 8\)"),
        (torch.full((1, 3, 8, 8), 255.0), ValueError, "images: got values from 255 to 255"),
        (torch.full((1, 3, 8, 8), math.nan), ValueError, "images: got values from nan"),
    ],
)
def test_bad_images(images, error, message):
    with pytest.raises(error, match=message):
        prepare(images)
