"""Checkpoints that are written whole or not at all, and the newest of them that can be read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

import torch
from detectron2.checkpoint import DetectionCheckpointer
from torch import Tensor, nn

from rcf_vis.errors import BrokenWeights
from rcf_vis.files import whole_file

__all__ = ["WholeCheckpointer", "check_finite"]

_LIST = "checkpoints.json"
_LAST = "last_checkpoint"
_NUMBERED = re.compile(r"model_\d+\.pth")


def check_finite(tensors: Mapping[str, Any], what: str, error: type[Exception]) -> None:
    """Raise ``error`` where a tensor has NaN or infinite elements, with the name of the first."""
    for name, data in tensors.items():
        data = torch.as_tensor(data)
        if data.is_floating_point() and not data.isfinite().all():
            bad = int((~data.isfinite()).sum())
            raise error(
                f"{what}: {bad} of the {data.numel()} elements of {name} are NaN or infinite"
            )


class WholeCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer for a process that may be killed at any moment.

    A checkpoint takes the place of one of its name when it is on the disk, and ``last_checkpoint``
    names it after that. ``checkpoints.json`` lists the checkpoints of the run: those that an
    earlier run left in the folder are not resumed from, and not removed.

    Args:
        keep: how many of the run's numbered checkpoints stay, the newest ones; 0 = all.

    Attributes:
        resumed_from: path of the checkpoint that :meth:`resume_or_load` went on from, or "".
    """

    def __init__(
        self,
        model: nn.Module,
        save_dir: str = "",
        *,
        save_to_disk: bool | None = None,
        keep: int = 0,
        **checkpointables: Any,
    ) -> None:
        super().__init__(model, save_dir, save_to_disk=save_to_disk, **checkpointables)
        if keep < 0:
            raise ValueError(f"SOLVER.KEEP_CHECKPOINTS is {keep}, expected 0 (all) or more")
        self.keep = keep
        self.resumed_from = ""
        self._path = ""  # of what is being loaded, for messages

    def load(self, path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As Detectron2's; BrokenWeights where the weights are not finite."""
        self._path = path
        try:
            return super().load(path, *args, **kwargs)
        finally:
            self._parsed_url_during_load = None  # which Detectron2 leaves where a load fails

    def save(self, name: str, **kwargs: Any) -> None:
        """As Detectron2's, whole or not at all.

        Raises:
            FloatingPointError: the weights are not finite; what is there stays.
        """
        if not self.save_dir or not self.save_to_disk:
            return
        content = {"model": self.model.state_dict()}
        content.update((key, part.state_dict()) for key, part in self.checkpointables.items())
        content.update(kwargs)
        file_name = f"{name}.pth"
        for key in ("model", "ema"):
            check_finite(content.get(key, {}), f"{file_name} is not written", FloatingPointError)
        path = os.path.join(self.save_dir, file_name)
        self.logger.info("Saving checkpoint to %s", path)
        with whole_file(path) as temporary:
            torch.save(content, temporary)
        self._list([*(other for other in self._listed() or () if other != file_name), file_name])
        self.tag_last_checkpoint(file_name)
        self._remove_old()

    def tag_last_checkpoint(self, last_filename_basename: str) -> None:
        """As Detectron2's, whole or not at all."""
        with whole_file(os.path.join(self.save_dir, _LAST)) as temporary:
            temporary.write_text(last_filename_basename)

    def has_checkpoint(self) -> bool:
        """Whether the run in the folder has a checkpoint, whole or not."""
        return bool(self._candidates())

    def get_checkpoint_file(self) -> str:
        """Path of the newest checkpoint of the run, "" where there is none."""
        return next(iter(self._candidates()), "")

    def has_saved(self, name: str) -> bool:
        """Whether the run in the folder has a checkpoint of this name."""
        return os.path.join(self.save_dir, f"{name}.pth") in self._candidates()

    def resume_or_load(self, path: str, *, resume: bool = True) -> dict[str, Any]:
        """As Detectron2's; goes on from the newest checkpoint of the run that is whole.

        Without ``resume`` a trainer begins a new run in the folder.

        Raises:
            BrokenWeights: there are checkpoints to resume from, but none is whole.
        """
        self.resumed_from, broken = "", []
        for candidate in self._candidates() if resume else ():
            try:
                rest = self.load(candidate)
            except BrokenWeights as error:
                self.logger.warning("Passed over: %s", error)
                broken.append(os.path.basename(candidate))
                continue
            self.resumed_from = candidate
            return rest
        if broken:
            raise BrokenWeights(
                f"{self.save_dir} has no whole checkpoint to resume from ({', '.join(broken)}): "
                "leave --resume away to begin anew"
            )
        if "trainer" in self.checkpointables and self.save_dir and self.save_to_disk:
            os.makedirs(self.save_dir, exist_ok=True)
            self._list([])
        return self.load(path, checkpointables=[])

    def _candidates(self) -> list[str]:
        """The checkpoints of the run, the one to resume from first."""
        listed, last = self._listed(), self._last()
        if listed is None:  # written by Detectron2, or by an earlier version
            listed = self._found()
        elif last not in listed:
            last = ""  # of an earlier run
        names = [last] if last else []
        names += [name for name in reversed(listed) if name != last]
        paths = [os.path.join(self.save_dir, name) for name in names]
        return [path for path in paths if os.path.isfile(path)]

    def _last(self) -> str:
        """What ``last_checkpoint`` names: of the user's choice, who may go back to an older one."""
        try:
            with open(os.path.join(self.save_dir, _LAST), encoding="utf-8") as file:
                return os.path.basename(file.read().strip())
        except (OSError, UnicodeDecodeError):
            return ""

    def _listed(self) -> list[str] | None:
        """The checkpoints of the run, oldest first; None where no list is."""
        try:
            with open(os.path.join(self.save_dir, _LIST), encoding="utf-8") as file:
                names = json.load(file)
        except (OSError, ValueError):
            return None
        return [os.path.basename(name) for name in names if isinstance(name, str)]

    def _found(self) -> list[str]:
        """All checkpoints in the folder, by the time when they were written."""
        if not os.path.isdir(self.save_dir):
            return []
        names = [
            name
            for name in os.listdir(self.save_dir)
            if _NUMBERED.fullmatch(name) or name == "model_final.pth"
        ]
        return sorted(names, key=lambda n: os.path.getmtime(os.path.join(self.save_dir, n)))

    def _list(self, names: list[str]) -> None:
        with whole_file(os.path.join(self.save_dir, _LIST)) as temporary:
            temporary.write_text(json.dumps(names))

    def _remove_old(self) -> None:
        names = self._listed() or []
        numbered = [name for name in names if _NUMBERED.fullmatch(name)]
        if not self.keep or len(numbered) <= self.keep:
            return
        old = set(numbered[: -self.keep])
        self._list([name for name in names if name not in old])
        for name in old:
            try:
                os.remove(os.path.join(self.save_dir, name))
            except OSError as error:
                self.logger.warning("An old checkpoint stays: %s", error)

    def _load_model(self, checkpoint: dict[str, Tensor]) -> Any:
        check_finite(checkpoint["model"], self._path, BrokenWeights)
        return super()._load_model(checkpoint)
