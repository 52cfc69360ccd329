"""Frozen networks that are no packages: weights which some studies download at their first use."""

import os
from collections.abc import Iterator
from pathlib import Path

from credit_plugin.doctor.finding import NOTE, OK, Finding


def check_networks() -> Iterator[Finding]:
    """Yield what is downloaded already, and a note for what is not."""
    yield _alexnet()
    yield _hub()


def _alexnet() -> Finding:
    from credit_plugin.properties.observers.lpips import downloaded_network

    if downloaded_network().is_file():
        return Finding(OK, "weights of lpips: AlexNet is downloaded")
    return Finding(
        NOTE,
        "weights of lpips are not downloaded",
        "the first study with lpips fetches AlexNet, 244 MB; offline, give a copy with "
        "--set properties.observers.lpips.path=FILE",
    )


def _hub() -> Finding:
    """Count what the hub's cache holds: which of it a study needs, its settings say."""
    from huggingface_hub.constants import HF_HUB_CACHE

    models = sorted(Path(HF_HUB_CACHE).glob("models--*"))
    if models:
        names = ", ".join(path.name.removeprefix("models--").replace("--", "/") for path in models)
        return Finding(OK, f"networks from the Hugging Face hub: {names}")
    offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
    return Finding(
        NOTE,
        f"no network is in the cache of the Hugging Face hub{offline}",
        "open_clip (clip_score, aesthetic), transformers and text_to_image_lora fetch theirs at "
        "their first use; offline, name files or folders in the study",
    )
