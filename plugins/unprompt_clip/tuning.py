"""The stages of a training: features, a head on them, and fine-tuning from there (LP-FT)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from unprompt import Model, TrainSet
from unprompt.train import (
    METRICS,
    Criterion,
    FeatureSamples,
    FitOptions,
    Fitted,
    FoldedHead,
    Job,
    MlpHead,
    Pixels,
    Probe,
    Samples,
    build_head,
    check_fit,
    fill_linear,
    fit,
    fit_probe,
    folded,
)
from unprompt_clip.divided import Divided, digest
from unprompt_clip.finetune import HEAD, TOWER, RegressorTask
from unprompt_clip.training import TrainingOptions

if TYPE_CHECKING:
    import torch

    from unprompt_clip.regressor import Regressor

HEAD_FOLDER = "head"
"""Below the folder of a training: that of its head, where it is fitted by steps."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of a training.

    Attributes:
        head: What stands on the tower.
        tower: The parameters of the tower that have changed; None: there was no fine-tuning.
        images: How many images were fitted to.
        held: How many were held back for validation.
        probe: The closed-form fit of a linear head; None: the head took steps.
        first: The fit of the head alone, where it took steps.
        fitted: The fine-tuning; None: there was none.
        broken: A sentence on images that cannot be read.
    """

    head: FoldedHead
    tower: Mapping[str, torch.Tensor] | None
    images: int
    held: int
    probe: Probe | None
    first: Fitted | None
    fitted: Fitted | None
    broken: str


class Tuning:
    """The training of one member, from the start or from where it was interrupted."""

    def __init__(self, member: Regressor, training: TrainingOptions, train: TrainSet) -> None:
        """Check the options, and divide the images.

        Raises:
            ConfigError: The tower, or this machine, does not fit the options.
            DataError: As `Divided.of` does.
        """
        self._member, self._training, self._runtime = member, training, member.runtime
        if training.epochs:
            self._check(member)
        self._data = Divided.of(member, training, train)

    def _check(self, member: Regressor) -> None:
        """Check options against the tower before any image is opened."""
        network, family = member.tower.network, type(member.tower)
        layers = family.layers(network).values()
        check_fit(self._training, self._runtime.device, lambda: max(layers, default=0) + 1)
        if self._training.gradient_checkpointing:
            family.recompute(network)
            member.forget_tower()

    def run(self, artifact: Path) -> Tuned:
        """Fit the head, then head and tower.

        Args:
            artifact: A folder that gets the metrics.

        Raises:
            UnpromptError: See `unprompt.train.fitting`, `Criterion` and `Adapted`.
        """
        import torch

        training = self._training
        with _folder(self._data.train) as folder, torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            head, probe, first = self._head(folder)
            fitted, tower = None, None
            if training.epochs:
                torch.manual_seed(
                    training.seed
                )  # whether the head's steps were taken now or before
                task = self._task(head)
                fitted = fit(
                    self._job(task, folder), self._runtime.progress, self._data.train.metrics
                )
                head = task.model.get_submodule(HEAD)
                tower = self._changed(task.model.get_submodule(TOWER))
            metrics = folder / METRICS
            if metrics.is_file():
                shutil.copyfile(metrics, artifact / METRICS)
        sizes = len(self._data.fitted), len(self._data.held)
        return Tuned(folded(head.eval()), tower, *sizes, probe, first, fitted, self._data.broken)

    def _head(self, folder: Path) -> tuple[torch.nn.Module, Probe | None, Fitted | None]:
        """The head on frozen features."""
        training = self._training
        width, dim = self._data.features.shape[1], self._data.train.targets.dim
        head = build_head(training.head, width, dim)
        if isinstance(training.head, MlpHead):
            last = not training.epochs  # then the metrics are this fit's
            job = self._head_job(head, training.head, folder if last else folder / HEAD_FOLDER)
            heard = {"metrics": self._data.train.metrics} if last else {}
            return head, None, fit(job, self._runtime.progress, **heard)
        probe = fit_probe(
            self._data.features,
            self._data.train.targets.rows,
            self._member.options.penalties,
            weights=self._data.weights if training.sample_weights else None,
            validation=self._data.is_held if len(self._data.held) else None,
            refit=not training.epochs,  # a fine-tuning is validated on what it has not seen
        )
        fill_linear(head, probe.weight, probe.bias)
        return head, probe, None

    def _head_job(self, head: torch.nn.Module, options: MlpHead, folder: Path) -> Job:
        """The fit of a head that takes steps, on frozen features."""
        training = self._training
        own = {name: getattr(training, name) for name in FitOptions.model_fields}
        steps = {name: getattr(options, name) for name in ("epochs", "batch_size", "learning_rate")}
        plain = ("accumulate", "freeze", "layer_decay", "decay_to_start", "wise_ft", "augment")
        idle = (*plain, "shuffle", "workers", "keep_images", "processes", "gradient_checkpointing")
        defaults = {name: FitOptions.model_fields[name].default for name in idle}
        task = RegressorTask.of_head(head, self._criterion(), self._data.held_targets)
        parts = [
            FeatureSamples(part.images, self._data.features[mask])
            for part, mask in (
                (self._data.fitted, ~self._data.is_held),
                (self._data.held, self._data.is_held),
            )
        ]
        return Job(
            name=self._called("fit the head"),
            task=task,
            train=parts[0],
            validation=parts[1],
            options=FitOptions.model_validate({**own, **defaults, **steps}),
            folder=folder,
            identity={
                **self._depends_on(),
                "head": json.dumps(options.model_dump(mode="json")),
                "training.loss": json.dumps([_plain(term) for term in training.loss]),
                "training.sample_weights": training.sample_weights,
                "training.validation": training.validation,
            },
            prompts=self._data.prompts,
            device=self._runtime.device,
            threads=self._runtime.workers,
        )

    def _task(self, head: torch.nn.Module) -> RegressorTask:
        """Tower and head as a task."""
        adapter, held = self._training.adapter, self._data.held_targets
        return RegressorTask.of_tower(self._member.tower, head, self._criterion(), held, adapter)

    def _job(self, task: RegressorTask, folder: Path) -> Job:
        """The fine-tuning."""
        training, transform = self._training, self._member.tower.transform
        pixels = Pixels.measured(transform)
        common: dict[str, Any] = {"seed": training.seed, "keep": training.keep_images}
        return Job(
            name=self._called("fine-tune"),
            task=task,
            train=Samples(
                self._data.fitted.images, transform, pixels, augment=training.augment, **common
            ),
            validation=Samples(self._data.held.images, transform, pixels, **common),
            options=training,
            folder=folder,
            identity=self._depends_on(),
            prompts=self._data.prompts,
            device=self._runtime.device,
            precision=self._runtime.precision,
            threads=self._runtime.workers,
        )

    def _called(self, stage: str) -> str:
        """A stage for people: behind the member's name, which its folder has."""
        work = self._data.train.work
        return stage if work is None else f"{work.name}: {stage}"

    def _criterion(self) -> Criterion:
        """The loss on the images that are fitted to."""
        training = self._training
        return Criterion(training.loss, self._data.fitted, weighted=training.sample_weights)

    def _changed(self, network: torch.nn.Module) -> dict[str, torch.Tensor]:
        """What differs from the tower as it comes."""
        self._member.forget_tower()
        before = self._member.tower.network.state_dict()
        now = {name: value.detach().cpu() for name, value in network.state_dict().items()}
        return {
            name: value.contiguous()
            for name, value in now.items()
            if not value.equal(before[name].cpu())
        }

    def _depends_on(self) -> dict[str, Any]:
        """What a checkpoint depends on beside the options of training, flat."""
        return {
            "images": self._data.content,
            "tower": digest(dict(self._member.identity())),
            "text encoder": self._data.train.text_encoder.identity,
            "penalties": list(self._member.options.penalties),
        }


def _plain(term: Model) -> dict[str, Any]:
    """A loss without where its teacher lies, whose content is in the member's identity."""
    return term.model_dump(mode="json", exclude={"teacher"})


def dry_head(training: TrainingOptions, width: int, dim: int) -> FoldedHead:
    """A head of the right size with random parameters: a dry run fits nothing.

    Args:
        training: Which head.
        width: F of the tower.
        dim: D of the target space.
    """
    return folded(build_head(training.head, width, dim).eval())


@contextmanager
def _folder(train: TrainSet) -> Iterator[Path]:
    """Where checkpoints lie: where the next attempt finds them, if there is such a folder."""
    if train.work is not None:
        yield train.work
        return
    with TemporaryDirectory(prefix="unprompt-training-") as folder:
        yield Path(folder)
