"""The mask `lottery`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic import field_validator

from tostdsl.diagnostics import TostError
from tostdsl.masks.allocate import keep_largest, percent_text
from tostdsl.plan.masking import MaskSite, Round, Sparsifier, kept_total
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import START, Duration, Moment, Percent

if TYPE_CHECKING:
    import torch

MOST_ROUNDS = 200


@register("lottery")
class Lottery(Sparsifier):
    """Finds a lottery ticket: train, prune the smallest weights, rewind, and again.

    Each round trains the network, prunes `rate` of the weights that remain (the smallest in
    absolute value over all layers together) and sets the kept ones back to their values at
    `rewind` in the first round. After n rounds the density is (1 - rate)^n; the last round prunes
    only as far as `sparsity`, exactly. So 90% at the default rate takes 11 rounds, 95% takes 14
    and 98% takes 18, each as long as a training: the whole costs rounds + 1 trainings. A pruned
    weight never returns; of equal weights the one earlier in the network is kept.

    A round trains as long as `train` says, or `epochs`. Rewinding to `start` is the original
    method; larger networks need a later moment, such as `epoch 2`. It must lie before the end of
    a round. The rounds train plainly; `stages=yes` has the recipe's stages at work in them too.

    What goes back is said one by one. The kept weights and the normalisations' statistics go back
    to `rewind` (`back=weights`), or stay as trained (`back=rate`, learning-rate rewinding). Each
    training after a prune then runs its whole length with the schedule from its beginning
    (`resume=start`), or goes on from `rewind` with what is left of the schedule
    (`resume=rewind`, as the papers do). Its optimizer is new (`optimizer=fresh`), or has the state
    it had at `rewind` (`optimizer=rewind`), without that of pruned weights.

    Frankle and Carbin, "The lottery ticket hypothesis: finding sparse, trainable neural
    networks", 2019. Rewinding to a later moment: Frankle et al., "Linear mode connectivity and
    the lottery ticket hypothesis", 2020. Learning-rate rewinding: Renda et al., "Comparing
    rewinding and fine-tuning in neural network pruning", 2020.
    """

    examples = (
        "lottery(sparsity=90%, rate=20%, rewind=epoch 2)",
        "lottery(sparsity=90%, epochs=60)",
        "lottery(sparsity=90%, rewind=epoch 9, resume=rewind, optimizer=rewind)",
    )

    other_names = dict.fromkeys(
        ("imp", "lth", "lottery_ticket", "winning_ticket", "iterative_magnitude"), "lottery"
    )
    other_arguments = MappingProxyType(
        {
            "rounds": "leave it out: `rate` and `sparsity` say how many rounds there are",
            "levels": "leave it out: `rate` and `sparsity` say how many rounds there are",
            "iterations": "leave it out: `rate` and `sparsity` say how many rounds there are",
            "rewind_epoch": "rewind=epoch {value}",
            "rewind_to": "rewind",
            "prune_rate": "rate",
        }
    )
    later = MappingProxyType(
        {
            **dict.fromkeys(("sparsity", "rate", "rewind", "epochs", "stages", "resume"), "told"),
            "optimizer": "rewind",
            "back": "prune",
        }
    )
    rate: Percent = arg(
        Percent.from_json({"percent": 20}), "share of the remaining weights each round prunes"
    )
    rewind: Moment = arg(START, "where in the first round the weights are kept, to go back to")
    epochs: int | None = arg(
        None, "how long a round trains; left out, as long as `train` says", unit="epochs", ge=1
    )
    stages: bool = arg(False, "whether the recipe's stages are at work in the rounds too")

    back: Literal["weights", "rate"] = arg(
        "weights", "what goes back after a prune: weights and statistics, or the learning rate only"
    )
    resume: Literal["start", "rewind"] = arg(
        "start", "where the next training begins: at its start, or at `rewind`"
    )
    optimizer: Literal["fresh", "rewind"] = arg(
        "fresh", "the next training's optimizer: a new one, or with its state at `rewind`"
    )

    @field_validator("rewind")
    @classmethod
    def _one_start(cls, moment: Moment) -> Moment:
        """`epoch 0`, `step 0` and `0%` are `start`: one meaning, one fingerprint."""
        return START if moment.unit != "end" and moment.value == 0 else moment

    def check(self, site: CheckSite) -> Iterable[Problem]:
        wrong = list(super().check(site))
        if not 0 < self.rate.fraction < 1:
            bound = "more than 0% and below 100%"
            values = {"name": "rate", "bound": bound, "found": f"`{self.rate}`"}
            wrong.append(Problem("T303", values, ("rate",)))
        if not wrong and self._sparsities() is None:
            wrong.append(Problem("T504", {"name": "rate", "reason": self._too_many()}, ("rate",)))
        yield from wrong
        yield from self._rewind_problems()
        for name, value in (("resume", self.resume), ("optimizer", self.optimizer)):
            if value == "rewind" and self.rewind == START:
                reason = "it changes nothing where `rewind` is `start`"
                yield Problem("T504", {"name": name, "reason": reason}, (name,), "remove it")
        if self.back == "rate" and self.optimizer == "rewind":
            reason = "weights that stay as trained have no use for an earlier optimizer's state"
            values = {"name": "optimizer", "reason": reason}
            yield Problem("T504", values, ("optimizer", "back"), "remove one of the two")

    def _rewind_problems(self) -> Iterator[Problem]:
        at, place = self.rewind, "of a round"
        late = at.unit == "end" or (at.unit == "percent" and at.value >= 100)
        if at.unit == "epoch" and self.epochs is not None and at.value >= self.epochs:
            late, place = True, f"of a round of {Duration('epochs', self.epochs)}"
        if late:
            reason = f"`{at}` is not before the end {place}"
            yield Problem("T504", {"name": "rewind", "reason": reason}, ("rewind",))

    def _sparsities(self) -> tuple[Fraction, ...] | None:
        """Compute the sparsity after each round; None where it takes too many."""
        wanted, kept = 1 - self.sparsity.fraction, Fraction(1)
        found: list[Fraction] = []
        while kept > wanted:
            if len(found) == MOST_ROUNDS:
                return None
            kept = max(wanted, kept * (1 - self.rate.fraction))
            found.append(1 - kept)
        return tuple(found)

    def _too_many(self) -> str:
        return (
            f"reaching {self.sparsity} at {self.rate} a round takes more than {MOST_ROUNDS} rounds"
        )

    def rounds(self) -> tuple[Round, ...]:
        sparsities = self._sparsities()
        if sparsities is None:
            raise TostError.of("T504", name="rate", reason=self._too_many())
        return tuple(map(Round, sparsities))

    def round_length(self, training: Duration) -> Duration:
        return training if self.epochs is None else Duration("epochs", self.epochs)

    def rewind_to(self) -> Moment | None:
        return self.rewind

    def goes_back(self) -> bool:
        return self.back == "weights"

    def resumes(self) -> bool:
        return self.resume == "rewind"

    def keeps_moments(self) -> bool:
        return self.optimizer == "rewind"

    def stages_in_rounds(self) -> bool:
        return self.stages

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> dict[str, torch.Tensor]:
        assert sparsity is not None
        scores = {name: weight.detach().abs() for name, weight in site.weights.items()}
        total = sum(score.numel() for score in scores.values())
        kept = kept_total(total, sparsity)
        left = sum(int(mask.sum()) for mask in site.masks.values()) if site.masks else total
        if kept > left:
            reason = f"{percent_text(Fraction(total - left, total))} are pruned already"
            raise TostError.of("T505", wanted=percent_text(sparsity), reason=reason)
        return keep_largest(scores, kept, site.masks)
