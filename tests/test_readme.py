"""What the README quotes is what was measured."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = {
    "MLP GAN, 28x28": "mlp",
    "MLP GAN, wide": "mlp_wide",
    "WGAN-GP MLP": "wgan_gp",
    "DCGAN, 28x28": "dcgan28",
    "DCGAN, 64x64x3": "dcgan64",
}


def quoted():
    """(model, batch, the five other cells) of each row of the README's table of speed."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## How fast", 1)[1].split("\n## ", 1)[0]
    model = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[1].isdigit():
            model = NAMES[cells[0]] if cells[0] else model
            yield model, int(cells[1]), cells[2:]


def test_the_table_of_speed_quotes_the_benchmark():
    report = json.loads((ROOT / "benchmarks/results/engine-cpu.json").read_text(encoding="utf-8"))
    rows = {(row["model"], row["batch"]): row for row in report["rows"]}
    assert not any(row["void"] for row in rows.values())
    seen = []
    for model, batch, cells in quoted():
        kinds = rows[model, batch]["kinds"]

        def only(*words, kinds=kinds):
            return [k for name, k in kinds.items() if re.sub(", (same fakes|channels last)", "", name) == words[0]]

        fp32, bf16, compiled = only("ganedu, fp32"), only("ganedu, bf16"), only("ganedu, bf16, compiled")
        assert len(bf16) == len(compiled) == 1
        ratios = [f"{k[0]['ratio']:.2f}" if k else "" for k in (fp32[:1], fp32[1:], bf16, compiled)]
        assert cells[:4] == ratios, (model, batch)
        assert cells[4] == f"{fp32[-1]['bound']:.1f}, {bf16[0]['bound']:.1f}", (model, batch)
        seen.append((model, batch))
    assert sorted(seen) == sorted(rows)
