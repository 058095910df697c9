import pytest

from rcf_vis.files import whole_file


def test_takes_its_place_when_the_block_ends_well(tmp_path):
    path = tmp_path / "new" / "a.json"
    with whole_file(path) as temporary:
        temporary.write_text("[1]")
        assert temporary.suffix == ".json" and not path.exists()
    assert path.read_text() == "[1]"
    assert list(path.parent.iterdir()) == [path]


def test_leaves_the_old_file_when_it_does_not(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), whole_file(path) as temporary:
        temporary.write_text("half")
        raise OSError("full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
