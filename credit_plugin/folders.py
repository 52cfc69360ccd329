"""Where a study keeps what it has made, addressed by what it was made from.

Every folder's name carries a fingerprint of the settings and data that affect its content. A
changed setting therefore leads to a new folder for what depends on it and to the old one for what
does not: more coalition steps keep the trained and pruned models, another payout keeps everything.

```
credit_studies/<study>/
  data-<digest>/        decoded images
  parts-<...>/          frozen networks and latents, for tasks that have some
  reference-<...>/      the study's classifier and reference statistics
  full-<...>/           the trained model            (+ .checkpoint while it trains)
  pruned-<...>/         the pruned, recovered model  (+ .checkpoint while it recovers)
  table-<...>/          ledger.jsonl, study.yaml, previews/, report/, tracking.json, lock
```
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from credit_plugin.config import Study, fingerprint

RESULTS_VERSION = 3
"""Raised when the code changes so that the same settings give other results."""


@dataclass(frozen=True)
class StudyFolders:
    """The folders of one study.

    Attributes:
        root: Folder that holds all studies.
        study: The settings.
        digest: Digest of the contributor dataset.
        frozen: Digest of the frozen networks that the diffusion task builds on.
        observed: Digest of the networks and code that properties rest on.
    """

    root: Path
    study: Study
    digest: str
    frozen: str = ""
    observed: str = ""

    @property
    def base(self) -> Path:
        """Folder of every variant of the study."""
        return self.root / self.study.name

    @property
    def data(self) -> Path:
        """Decoded images."""
        return self.base / f"data-{self.digest[:12]}"

    @property
    def reference(self) -> Path:
        """Classifier and reference statistics of the properties."""
        return self.base / f"reference-{self._hash(self._measured, *self._prompted)}"

    @property
    def parts(self) -> Path:
        """Frozen networks of the task, and images as they see them."""
        diffusion = self._diffusion
        kept = ("task", "autoencoder", "base", "condition", "prompt")
        made_from = [diffusion[key] for key in kept]
        mirrored = self.study.diffusion.training.flip
        return self.base / f"parts-{self._hash(*made_from, self.frozen, mirrored)}"

    @property
    def full(self) -> Path:
        """The model trained on everybody's data."""
        return self.base / f"full-{self._hash(*self._full_parts)}"

    @property
    def pruned(self) -> Path:
        """The pruned and recovered model."""
        return self.base / f"pruned-{self._hash(*self._full_parts, self.study.pruning)}"

    @property
    def table(self) -> Path:
        """The ledger of evaluated coalitions, and what is made from it."""
        return self.base / f"table-{self.table_hash}"

    @property
    def table_hash(self) -> str:
        """Fingerprint of everything that affects the utility of a coalition."""
        study = self.study
        game = {"utility": study.game.utility, "finetuning": study.game.finetuning.model_dump()}
        return self._hash(*self._full_parts, study.pruning, study.sampling, self._measured, game)

    @property
    def ledger(self) -> Path:
        """One line for each finished evaluation."""
        return self.table / "ledger.jsonl"

    @property
    def previews(self) -> Path:
        """Pictures of samples, one for each evaluation and model."""
        return self.table / "previews"

    @property
    def report(self) -> Path:
        """The compensation report."""
        return self.table / "report"

    def coalition_key(self, bits: str, repeat: int) -> str:
        """Return the idempotency key of an evaluation (16 hexadecimal digits)."""
        text = f"{self.table_hash}/{bits}/{self.study.seed}/{repeat}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def _full_parts(self) -> tuple[object, ...]:
        return self._diffusion, self.frozen

    @property
    def _diffusion(self) -> dict[str, object]:
        from credit_plugin.diffusion.tasks import used_settings  # slow to import

        return used_settings(self.study.diffusion).identity()

    @property
    def _prompted(self) -> tuple[str, ...]:
        """What samples are asked for, if a property compares them with that; else nothing."""
        from credit_plugin.properties.suite import reads_prompts  # slow to import

        diffusion = self.study.diffusion
        if not reads_prompts(self.study.properties):
            return ()
        return diffusion.condition, diffusion.prompt

    @property
    def _measured(self) -> dict[str, object]:
        from credit_plugin.properties.suite import used_settings  # slow to import

        return {**used_settings(self.study.properties).identity(), "observed": self.observed}

    def _hash(self, *parts: object) -> str:
        return fingerprint(RESULTS_VERSION, self.digest, self.study.seed, *parts)
