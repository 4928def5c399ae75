"""What somebody hands to a Trainer: it works, or one sentence says what to write."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ganedu.data import ImageData, digits, ring
from ganedu.data.given import as_data
from ganedu.models.vanilla import Discriminator, Generator, VanillaGAN
from ganedu.training import Trainer

X = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


class Pairs(Dataset):
    """As torchvision has them: an image and its class."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i], i % 3


def pil(mode):
    return [Image.fromarray((np.arange(64).reshape(8, 8) * 3).astype(np.uint8)).convert(mode) for _ in range(5)]


def test_images_of_many_kinds_become_a_data_set():
    of_tensor = as_data(X)
    for given in (list(X), TensorDataset(X), X.numpy(), Pairs()):
        assert torch.equal(as_data(given).images, of_tensor.images)
    assert as_data(Pairs()).labels.tolist() == [i % 3 for i in range(12)]
    assert as_data(pil("L")).shape == (1, 8, 8) and as_data(pil("RGB")).shape == (3, 8, 8)
    assert torch.equal(as_data(pil("RGB")).images[0, 1], as_data(pil("L")).images[0, 0])
    assert as_data(of_tensor) is of_tensor


def test_a_trainer_takes_them():
    game = VanillaGAN(Generator(8, (1, 8, 8), widths=(16,)), Discriminator((1, 8, 8), widths=(16,)), z_dim=8)
    trainer = Trainer(game, Pairs(), batch_size=4, device="cpu", seed=0).run(1)
    assert isinstance(trainer.data, ImageData) and "y" in trainer.fixed


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (
            DataLoader(TensorDataset(X), batch_size=4),
            TypeError,
            "got a DataLoader, wants its data set: Trainer(game, loader.dataset",
        ),
        (ImageData, TypeError, "got the class ImageData, wants a data set of ganedu.data, such as digits()"),
        (digits, TypeError, "got function, wants a data set of ganedu.data, such as digits()"),
        (X[0], ValueError, "got a tensor of shape (1, 8, 8), wants a data set"),
        (
            [X[0], X[0, :, :4]],
            ValueError,
            "got images of shapes (1, 8, 8) and, number 1, (1, 4, 8), wants one shape for all",
        ),
        ([(X[0], "cat")], TypeError, "got a label 'cat' with image 0, wants whole numbers from 0"),
        (["a.png"], TypeError, "got str as image 0, wants tensors (C, H, W) or PIL images"),
        ([], TypeError, "got list, wants a data set"),
        (None, TypeError, "got NoneType, wants a data set"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_sentence(data, error, message):
    with pytest.raises(error) as caught:
        Trainer(VanillaGAN(), data)
    assert message in str(caught.value) and str(caught.value).startswith("data: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("game", "data", "message"),
    [
        (VanillaGAN, ring(), "game: got the class VanillaGAN, wants an instance: VanillaGAN()"),
        (
            nn.Linear(2, 2),
            ring(),
            "game: got Linear, wants a Game with its players, such as VanillaGAN(G, D, z_dim=64)",
        ),
        (digits(), VanillaGAN(), "game: got ImageData, and a VanillaGAN for data, wants Trainer(game, data)"),
    ],
)
def test_what_is_no_game_is_refused_with_a_sentence(game, data, message):
    with pytest.raises(TypeError) as caught:
        Trainer(game, data)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda loss: None, "d_loss: got None, wants a tensor of shape (): did you forget to return it?"),
        (lambda loss: 0.5, "d_loss: got 0.5, wants a tensor of shape (), which carries no gradient: leave out .item()"),
        (
            lambda loss: loss.expand(8, 1),
            "d_loss: got a tensor of shape (8, 1), wants one number, shape (): average it",
        ),
        (
            lambda loss: loss.detach(),
            "d_loss: got a loss without a gradient, wants one that reaches the parameters of D",
        ),
    ],
)
def test_a_loss_that_is_none_is_told_in_the_words_of_the_subject(value, message):
    class Wrong(VanillaGAN):
        def d_loss(self, x, z):
            return value(super().d_loss(x, z))

    with pytest.raises(TypeError) as caught:
        Trainer(Wrong(), digits(), batch_size=8, device="cpu").run(1)
    assert str(caught.value) == message
