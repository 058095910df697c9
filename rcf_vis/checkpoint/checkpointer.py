"""Loading weights, with a clear word when they were made for other categories."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from detectron2.data import DatasetCatalog, MetadataCatalog
from torch import nn

from rcf_vis.errors import BrokenWeights
from rcf_vis.weight_files import read_torch_file, read_zoo_pickle

from .bare_weights import check_content, read_safetensors
from .whole_checkpoints import WholeCheckpointer

__all__ = ["RCFCheckpointer", "known_class_names"]

_CLASS_LAYER = "heads.class_embed."
_AUDIO = "audio."
_CARRIER = "carrier."
_HEURISTICS = "matching_heuristics=True"  # after a path, behind a question mark
_ADVICE = "to fine-tune on other categories set MODEL.RCF.LOAD_CLASS_HEAD False"


class RCFCheckpointer(WholeCheckpointer):
    """A checkpointer that refuses a class layer that was made for other classes.

    Detectron2 skips what does not fit and goes on with random weights there; for the class layer
    that means results that look like results and are not. The same number of other classes
    (YouTube-VIS 2019 and 2021) even fits. Checkpoints therefore carry the names of their classes
    (``class_names``); older ones have none, and are compared by number alone.

    Args:
        load_class_head: False leaves the class layer as it is, to fine-tune on other categories
            (``MODEL.RCF.LOAD_CLASS_HEAD``). A run that is resumed has its own: it is loaded.
        class_names: of the data set, in the order of the class layer; saved, and compared with
            those of the weights. None: neither.
        load_ema: load the averaged weights of a checkpoint that has them (``ema``) in place of
            those that were trained (``SOLVER.EMA.EVALUATE``); for inference.
    """

    def __init__(
        self,
        model: nn.Module,
        save_dir: str = "",
        *,
        save_to_disk: bool | None = None,
        load_class_head: bool = True,
        class_names: Sequence[str] | None = None,
        load_ema: bool = False,
        **checkpointables: Any,
    ) -> None:
        super().__init__(model, save_dir, save_to_disk=save_to_disk, **checkpointables)
        self.load_class_head = load_class_head
        self.class_names = class_names if class_names is None else list(class_names)
        self.load_ema = load_ema

    def save(self, name: str, **kwargs: Any) -> None:
        """As Detectron2's, with the names of the classes."""
        if self.class_names is not None:
            kwargs = {"class_names": self.class_names, **kwargs}
        super().save(name, **kwargs)

    def resume_or_load(self, path: str, *, resume: bool = True) -> dict[str, Any]:
        """As :class:`WholeCheckpointer`'s; see ``load_class_head``."""
        if resume and self.has_checkpoint():
            self.load_class_head = True
        return super().resume_or_load(path, resume=resume)

    def _load_file(self, filename: str) -> dict[str, Any]:
        """As Detectron2's, and ``.safetensors``; no code that is in a file is run.

        A ``.safetensors`` file has one set of weights: where those are an average (``SOLVER.EMA``),
        they were chosen when the file was published.
        """
        if filename.endswith(".safetensors"):
            content = read_safetensors(filename)
        elif filename.endswith(".pkl"):
            content = _of_zoo(read_zoo_pickle(filename), filename)
        else:
            content = self._of_torch(read_torch_file(filename), filename)
        check_content(content, filename)
        return content

    def _of_torch(self, content: Any, filename: str) -> dict[str, Any]:
        """As Detectron2 takes it, with its own marks and those of pycls (``.pyth``)."""
        if not isinstance(content, dict):
            raise BrokenWeights(f"{filename}: no weights by name, but a {type(content).__name__}")
        if filename.endswith(".pyth"):
            content = {"model": content.get("model_state"), "matching_heuristics": True}
        elif "model" not in content:
            content = {"model": content}
        url = self._parsed_url_during_load
        if url is not None and url.query:
            if url.query != _HEURISTICS:
                raise ValueError(f"{url.geturl()}: '{url.query}' unknown, expected {_HEURISTICS}")
            content["matching_heuristics"] = True
        return content

    def _load_model(self, checkpoint: dict[str, Any]) -> Any:
        if self.load_ema and "ema" in checkpoint:
            self.logger.info("%s: the averaged weights (EMA) are loaded", self._path)
            checkpoint["model"] = checkpoint.pop("ema")
        weights = checkpoint["model"]
        for key in [k for k in weights if k.removeprefix("module.").startswith(_CLASS_LAYER)]:
            if not self.load_class_head:
                del weights[key]
                continue
            own = self.model.state_dict()[key.removeprefix("module.")]
            if own.shape[0] != weights[key].shape[0]:
                raise ValueError(
                    f"{self._path}: weights of {weights[key].shape[0] - 1} classes, but "
                    f"MODEL.RCF.NUM_CLASSES is {own.shape[0] - 1}; {_ADVICE}"
                )
        if self.load_class_head:
            self._check_class_names(checkpoint.get("class_names"))
        self._check_audio(weights)
        self._check_carrier(weights)
        return super()._load_model(checkpoint)

    def _check_carrier(self, weights: dict[str, Any]) -> None:
        """ValueError where the model would run with an untrained carried code."""
        own = any(name.startswith(_CARRIER) for name in self.model.state_dict())
        theirs = any(name.removeprefix("module.").startswith(_CARRIER) for name in weights)
        if theirs and not own:
            self.logger.info(
                "%s hands the instance code on; that is left out, as MODEL.RCF.CARRY_CODE is False",
                self._path,
            )
        if not own or theirs:
            return
        message = f"{self._path}: weights that were trained without MODEL.RCF.CARRY_CODE"
        if "trainer" not in self.checkpointables:
            raise ValueError(f"{message}, which is True: train them with it, or set it False")
        self.logger.info("%s: what hands the instance code on begins untrained", message)

    def _check_audio(self, weights: dict[str, Any]) -> None:
        """Say when one of the two has no audio; ValueError where both have, but not the same."""
        own = {k: v for k, v in self.model.state_dict().items() if k.startswith(_AUDIO)}
        names = {k.removeprefix("module."): k for k in weights}
        theirs = {name: weights[k] for name, k in names.items() if name.startswith(_AUDIO)}
        if own and not theirs:
            self.logger.info(
                "%s is of a model without audio: the audio tokens begin untrained, the audio net "
                "as MODEL.RCF.AUDIO says",
                self._path,
            )
        elif theirs and not own:
            self.logger.info(
                "%s is of an audio-visual model; its audio branch is left out, as "
                "MODEL.RCF.AUDIO.ENABLED is False",
                self._path,
            )
        for name in own.keys() & theirs.keys():
            if own[name].shape != theirs[name].shape:
                raise ValueError(
                    f"{self._path}: {name} has the shape {tuple(theirs[name].shape)}, expected "
                    f"{tuple(own[name].shape)}, as MODEL.RCF.AUDIO says"
                )

    def _check_class_names(self, names: Sequence[str] | None) -> None:
        if names is None or self.class_names is None or list(names) == self.class_names:
            return
        pairs = enumerate(zip_longest(names, self.class_names))
        number, (theirs, ours) = next((k, pair) for k, pair in pairs if pair[0] != pair[1])
        raise ValueError(
            f"{self._path}: weights of other classes than those of DATASETS: number {number} is "
            f"'{theirs}' there and '{ours}' here; {_ADVICE}"
        )


def _of_zoo(content: Any, filename: str) -> dict[str, Any]:
    """A pickle of the model zoo of Detectron2, or of those before it."""
    if not isinstance(content, dict):
        raise BrokenWeights(f"{filename}: no weights by name, but a {type(content).__name__}")
    if "model" in content and "__author__" in content:
        return content
    weights = content.get("blobs", content)
    if isinstance(weights, dict):
        weights = {k: v for k, v in weights.items() if not str(k).endswith("_momentum")}
    return {"model": weights, "__author__": "Caffe2", "matching_heuristics": True}


def known_class_names(datasets: Sequence[str]) -> list[str] | None:
    """The classes of the first of some data sets.

    Those of its metadata, or, before a data set that takes them from its json is loaded, those of
    the json. None where neither is there: a trained model runs without the data.
    """
    if not datasets:
        return None
    name = datasets[0]
    classes = MetadataCatalog.get(name).get("thing_classes")
    if classes is None and name in DatasetCatalog.list():
        read = getattr(DatasetCatalog[name], "read_classes", None)  # of rcf_vis.data's loaders
        found = read() if read is not None else None
        classes = found and found["thing_classes"]
    return classes
