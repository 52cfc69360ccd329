"""Golden test of LAION's aesthetic heads, which are not shipped: what they say of known embeddings.

    python -m tests.benchmarks.aesthetic FOLDER

FOLDER holds the heads' files as published (``sa_0_4_vit_*_linear.pth``,
``sac+logos+ava1-l14-linearMSE.pth``) and ``rating_embeddings/vit_*_<r>.npy``, CLIP embeddings of
the ratings r = 0 to 9 from LAION-AI/aesthetic-predictor. Each head must rise with r; the linear one
for ViT-B/32 from -1.47 to 11.01, the one for ViT-L/14 from -2.46 to 11.30.
"""

from pathlib import Path

import click
import numpy as np

from credit_plugin.properties.aesthetic import rate, read_head

HEADS = {
    "sa_0_4_vit_b_32_linear.pth": "vit_b_32",
    "sa_0_4_vit_l_14_linear.pth": "vit_l_14",
    "sac+logos+ava1-l14-linearMSE.pth": "vit_l_14",
}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Print what each head says of the ten embeddings."""
    for head, model in HEADS.items():
        embeddings = [
            np.load(folder / "rating_embeddings" / f"{model}_{r}.npy", allow_pickle=False).ravel()
            for r in range(10)
        ]
        ratings = rate(np.stack(embeddings), read_head(folder / head))
        rises = "rises" if (np.diff(ratings) > 0).all() else "DOES NOT RISE"
        click.echo(f"{head:36} {rises}: {' '.join(f'{r:.2f}' for r in ratings)}")


if __name__ == "__main__":
    main()
