"""The loss curves of a metrics.json."""

import json

import cv2
import matplotlib
import pytest

import rcf_vis.visualization.plots as plots
from rcf_vis.visualization.plots import plot_loss_curves


def write_metrics(path, entries):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


@pytest.fixture
def curves(monkeypatch):
    """What is drawn: name → ([iterations], [values])."""
    drawn = {}

    class RecordingFigure(plots.Figure):
        def savefig(self, *args, **kwargs):
            for line in self.axes[0].lines:
                drawn[line.get_label()] = (list(line.get_xdata()), list(line.get_ydata()))
            super().savefig(*args, **kwargs)

    monkeypatch.setattr(plots, "Figure", RecordingFigure)
    return drawn


def test_curves_and_png(tmp_path, curves):
    backend = matplotlib.get_backend()
    entries = [
        {"iteration": i, "total_loss": 3.0 / (i + 1), "loss_dice": 1.0, "loss_dice_0": 1.5, "lr": 1}
        for i in (19, 39, 59)
    ]
    entries.append({"iteration": 59, "segm/AP": 50.0})
    metrics = write_metrics(tmp_path / "metrics.json", entries)
    plot_loss_curves(metrics, tmp_path / "new" / "loss.png")
    assert list(curves) == ["total_loss", "loss_dice"]
    assert curves["total_loss"] == ([19, 39, 59], [3 / 20, 3 / 40, 3 / 60])
    picture = cv2.imread(str(tmp_path / "new" / "loss.png"))
    assert picture.shape == (540, 960, 3) and 0 < (picture < 128).mean() < 0.2
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["loss.png"]
    assert matplotlib.get_backend() == backend


def test_a_resumed_training(tmp_path, curves):
    entries = [{"iteration": i, "total_loss": v} for i, v in [(0, 9), (1, 8), (2, 7), (1, 5)]]
    plot_loss_curves(write_metrics(tmp_path / "m.json", entries), tmp_path / "loss.png")
    assert curves["total_loss"] == ([0, 1, 2], [9, 5, 7])


def test_nothing_to_plot(tmp_path):
    with pytest.raises(FileNotFoundError, match="metrics.json"):
        plot_loss_curves(tmp_path / "metrics.json", tmp_path / "loss.png")
    metrics = write_metrics(tmp_path / "metrics.json", [{"iteration": 0, "lr": 0.1}])
    with pytest.raises(ValueError, match="metrics.json holds no losses"):
        plot_loss_curves(metrics, tmp_path / "loss.png")
    assert not (tmp_path / "loss.png").exists()
