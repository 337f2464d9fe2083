"""Data: the same from the same seed, in three parts that share nothing, and one sentence for each fault."""

import json
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from PIL import Image

from samesight.contract.errors import SamesightError, UsageError
from samesight.datasets import open_data
from samesight.datasets.damaged import Damaged, read_each, readable
from samesight.datasets.digits import load_scans, split_scans
from samesight.datasets.scenes import CONTRAST, LARGEST, SMALLEST


def save(path, size=(20, 16), colour=(200, 30, 30), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path


def names(part):
    return [example.name for example in part]


def test_digits_are_the_whole_of_scikit_learns_scans_in_three_parts():
    data = open_data("digits", seed=3)
    found = [example for part in (data.train, data.validation, data.test) for example in part]
    assert len({example.name for example in found}) == len(found) == 1797
    assert data.labels == tuple("0123456789")
    shares = [np.bincount([example.label for example in part], minlength=10) for part in (data.train, data.test)]
    assert (np.abs(shares[0] / 3.5 - shares[1]) <= 1).all(), "each digit is split alike"
    assert {example.pixels.shape for example in found[:5]} == {(64, 64, 3)}


def test_a_digit_looks_like_its_scan():
    data = open_data("digits", seed=0)
    scans, _ = load_scans()
    example = data.test[7]
    scan = scans[split_scans(0)[2][7]]
    middles = 255 - example.pixels[4::8, 4::8, 0].astype(int)
    assert np.corrcoef(middles.ravel(), scan.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("source", ["digits", "scenes"])
def test_the_seed_decides_all(source):
    first, again, other = open_data(source, seed=5), open_data(source, seed=5), open_data(source, seed=6)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first.test[:5], again.test[:5], strict=True))
    assert not all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first.test[:5], other.test[:5], strict=True))


def test_a_scene_does_not_depend_on_the_others():
    data = open_data("scenes", seed=1)
    alone = data.test[150].pixels
    assert np.array_equal(alone, list(data.test[145:155])[5].pixels)


def test_parts_of_scenes_paste_disjoint_digits():
    train, validation, test = (set(part) for part in split_scans(0))
    assert not (train & validation or train & test or validation & test)


def test_boxes_of_scenes_are_tight_and_apart():
    for example in open_data("scenes", seed=2).validation[:40]:
        assert 1 <= len(example.boxes) == len(example.labels) <= 5
        x1, y1, x2, y2 = example.boxes.T
        longer = np.maximum(x2 - x1, y2 - y1)
        assert ((longer >= SMALLEST - 2) & (longer <= LARGEST)).all()
        assert (x1 >= 0).all() and (y1 >= 0).all() and (x2 <= 128).all() and (y2 <= 128).all()
        for i, box in enumerate(example.boxes):
            for other in example.boxes[i + 1 :]:
                assert box[0] >= other[2] or other[0] >= box[2] or box[1] >= other[3] or other[1] >= box[3]


def test_ink_reaches_every_side_of_its_box():
    """Between two scenes of one seed with and without ink the difference fills each box to its edges."""
    from samesight.datasets import scenes

    for index in range(10):
        pasted = scenes.draw_scene(np.random.default_rng([9, index]), split_scans(0)[0])
        pixels, boxes = pasted[0].astype(int), pasted[1].astype(int)
        for x1, y1, x2, y2 in boxes:
            patch = pixels[y1:y2, x1:x2].mean(axis=2)
            assert patch.max() - patch.min() > CONTRAST / 2


def test_conversion_can_regenerate_test_images_without_torch():
    code = (
        "import sys; from samesight.datasets import open_data; "
        "open_data('digits').test[0].pixels; open_data('scenes').test[0].boxes; "
        "print(sorted({'torch', 'sklearn', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("digit", "digits"),
        ("folder", "folder:PATH"),
        ("digits:x", "digits"),
        ("coco:images", "coco:IMAGES,"),
        ("folder:", "PATH"),
    ],
)
def test_an_unknown_source_names_the_known_ones(source, word):
    with pytest.raises(UsageError) as error:
        open_data(source)
    assert word in str(error.value) and "\n" not in str(error.value)


def test_a_path_without_folder_is_told_how(tmp_path):
    with pytest.raises(UsageError, match="write folder:"):
        open_data(str(tmp_path))


def test_data_for_another_task_names_what_there_is():
    with pytest.raises(UsageError, match=r"not for detection.*scenes"):
        open_data("digits", task="detection")


def test_downloads_say_clearly_that_they_cannot(tmp_path, monkeypatch):
    import torchvision.datasets

    def refuse(*_, **__):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setenv("SAMESIGHT_DATA", str(tmp_path))
    monkeypatch.setattr(torchvision.datasets, "MNIST", refuse)
    with pytest.raises(SamesightError, match=r"mnist: could not be downloaded .*internet") as error:
        open_data("mnist")
    assert str(tmp_path) in str(error.value)


def test_downloaded_data_are_split_and_keep_their_test_part(tmp_path, monkeypatch):
    import torchvision.datasets

    class Fake:
        classes = ("0 - zero", "1 - one")

        def __init__(self, root, train, download):
            self.targets = [i % 2 for i in range(100 if train else 20)]

        def __len__(self):
            return len(self.targets)

        def __getitem__(self, index):
            return Image.new("L", (28, 28), index), self.targets[index]

    monkeypatch.setenv("SAMESIGHT_DATA", str(tmp_path))
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", Fake)
    data = open_data("fashion-mnist")
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 10, 20)
    assert data.test[7].pixels.shape == (28, 28, 3) and data.test[7].pixels[0, 0, 0] == 7
    assert data.labels == Fake.classes


class TestFolder:
    def make(self, root, counts, part=""):
        for name, count in counts.items():
            for i in range(count):
                # No picture is there twice.
                save(root / part / name / f"{i}.png", colour=(i, ord(name[0]), len(part)))
        return f"folder:{root}"

    def test_classes_are_the_folders(self, tmp_path):
        data = open_data(self.make(tmp_path, {"dog": 10, "cat": 20}))
        assert data.labels == ("cat", "dog")
        assert (len(data.train), len(data.validation), len(data.test)) == (21, 3, 6)
        for example in (*data.train, *data.test):
            assert data.labels[example.label] == example.name.split("/")[0]

    def test_given_parts_are_kept_and_missing_ones_split_off(self, tmp_path):
        self.make(tmp_path, {"a": 20, "b": 20}, "train")
        source = self.make(tmp_path, {"a": 4, "b": 3}, "test")
        data = open_data(source)
        assert {name.split("/")[0] for name in names(data.test)} == {"test"} and len(data.test) == 7
        assert len(data.validation) == 4 and len(data.train) == 36
        assert not set(names(data.train)) & set(names(data.validation))

    def test_it_can_be_opened_again_from_elsewhere(self, tmp_path, monkeypatch):
        self.make(tmp_path / "photos", {"a": 10, "b": 10})
        monkeypatch.chdir(tmp_path)
        data = open_data("folder:photos", seed=4)
        monkeypatch.chdir("/")
        assert names(open_data(data.source, seed=4).test) == names(data.test)

    def test_photos_are_turned_upright(self, tmp_path):
        self.make(tmp_path, {"a": 10, "b": 10})
        exif = Image.Exif()
        exif[0x0112] = 6
        for level, path in enumerate(tmp_path.rglob("*.png")):
            save(path.with_suffix(".jpg"), size=(20, 10), colour=(10 * level, 0, 0), exif=exif)
            path.unlink()
        assert open_data(f"folder:{tmp_path}").train[0].pixels.shape == (20, 10, 3)

    @pytest.mark.parametrize(
        ("counts", "sentence"),
        [
            ({}, "neither class folders nor images"),
            ({"only": 5}, "a single class .only."),
            ({"a": 10, "b": 0}, "holds no image"),
            ({"a": 1, "b": 1}, "too few"),
        ],
    )
    def test_faults(self, tmp_path, counts, sentence):
        source = self.make(tmp_path, counts)
        for name in counts:
            (tmp_path / name).mkdir(exist_ok=True)
        with pytest.raises(SamesightError, match=sentence) as error:
            open_data(source)
        assert str(tmp_path) in str(error.value)

    def test_hidden_copies_and_other_files_are_left_out_and_said(self, tmp_path):
        source = self.make(tmp_path, {"a": 10, "b": 10})
        for name in ("a", "b"):
            (tmp_path / name / ".ipynb_checkpoints").mkdir()
            for i in range(10):
                shutil.copy(
                    tmp_path / name / f"{i}.png", tmp_path / name / ".ipynb_checkpoints" / f"{i}-checkpoint.png"
                )
        (tmp_path / "a" / "._3.png").write_bytes(b"\0\5\x16\7")
        for i in range(3):
            (tmp_path / "b" / f"{i}.HEIC").write_bytes(b"")
        (tmp_path / "notes.txt").write_text("")
        data = open_data(source)
        assert [len(part) for part in (data.train, data.validation, data.test)] == [14, 2, 4]
        assert data.notes == (
            "left out, a name that begins with a dot: 21 hidden images, a/._3.png, "
            "a/.ipynb_checkpoints/0-checkpoint.png, a/.ipynb_checkpoints/1-checkpoint.png and 18 more",
            "left out, not read as images: 3 .heic, 1 .txt; install pillow-heif to read HEIC",
        )

    def test_a_picture_that_is_there_twice_is_taken_once(self, tmp_path):
        source = self.make(tmp_path, {"a": 10, "b": 10})
        before = open_data(source)
        shutil.copy(tmp_path / "a" / "3.png", tmp_path / "a" / "z.png")
        data = open_data(source)
        assert [names(part) for part in (data.train, data.test)] == [
            names(part) for part in (before.train, before.test)
        ]
        assert data.notes == ("left out, the same bytes as another file: 1 copy, a/z.png (a/3.png)",)
        shutil.copy(tmp_path / "a" / "3.png", tmp_path / "b" / "y.png")
        data = open_data(source)
        everything = [*names(data.train), *names(data.validation), *names(data.test)]
        assert len(everything) == 19 and not {"a/3.png", "a/z.png", "b/y.png"} & set(everything)
        assert data.notes == ("left out, the same bytes in several classes: a/3.png, a/z.png, b/y.png",)

    def test_a_picture_of_a_given_test_part_is_not_trained_on(self, tmp_path):
        self.make(tmp_path, {"a": 20, "b": 20}, "train")
        source = self.make(tmp_path, {"a": 4, "b": 4}, "test")
        shutil.copy(tmp_path / "test" / "a" / "1.png", tmp_path / "train" / "a" / "leak.png")
        data = open_data(source)
        assert len(data.test) == 8 and not [name for name in names(data.train) if "leak" in name]
        assert data.notes == ("left out, the same bytes as another file: 1 copy, train/a/leak.png (test/a/1.png)",)

    def test_nothing_but_copies_is_said(self, tmp_path):
        for name in "ab":
            for i in range(10):
                save(tmp_path / name / f"{i}.png")
        with pytest.raises(SamesightError, match=r"too few.*the same bytes in several classes: a/0\.png"):
            open_data(f"folder:{tmp_path}")

    def test_names_of_folders_become_labels(self, tmp_path):
        source = self.make(tmp_path, {"cat\n": 10, " big dog": 10})
        data = open_data(source)
        assert data.labels == ("big dog", "cat")
        assert data.notes[0] == "the class of the folder ' big dog' is called 'big dog'"
        for example in data.train:
            assert data.labels[example.label] == example.name.split("/")[0].strip()
        self.make(tmp_path, {"cat": 10})
        with pytest.raises(SamesightError, match="differ in white space or control characters alone"):
            open_data(source)

    def test_a_folder_with_a_blank_name_is_refused(self, tmp_path):
        with pytest.raises(SamesightError, match="blank name"):
            open_data(self.make(tmp_path, {"a": 10, " ": 10}))

    def test_no_such_folder(self, tmp_path):
        with pytest.raises(SamesightError, match="nowhere"):
            open_data(f"folder:{tmp_path / 'nowhere'}")

    def test_images_without_class_folders(self, tmp_path):
        save(tmp_path / "photo.png")
        with pytest.raises(SamesightError, match="no class folders"):
            open_data(f"folder:{tmp_path}")

    def test_a_class_that_train_does_not_know(self, tmp_path):
        self.make(tmp_path, {"a": 10, "b": 10}, "train")
        source = self.make(tmp_path, {"a": 3, "c": 3}, "val")
        with pytest.raises(SamesightError, match="val/c: no such class"):
            open_data(source)

    @pytest.mark.parametrize("content", [b"", b"not an image", None])
    def test_a_corrupt_image_is_named(self, tmp_path, content):
        from samesight.training.config import make_config
        from samesight.training.train import train

        source = self.make(tmp_path / "data", {"a": 10, "b": 10})
        path = tmp_path / "data" / "a" / "3.png"
        path.write_bytes(path.read_bytes()[:-30] if content is None else content)
        with pytest.raises(SamesightError, match=r"a/3\.png") as error:
            train(make_config(data=source, out=tmp_path / "run"), report=lambda line: None)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "run").exists() and not (tmp_path / "run.partial").exists()

    def test_a_folder_called_training_hides_nothing_of_ours(self, tmp_path, monkeypatch):
        self.make(tmp_path / "training", {"a": 10, "b": 10})
        (tmp_path / "training" / "__init__.py").write_text("raise RuntimeError('the wrong training')")
        monkeypatch.chdir(tmp_path)
        assert open_data("folder:training").labels == ("a", "b")


class TestCoco:
    def make(self, root, change=lambda document: None, exif=None):
        document = {
            "images": [{"id": i, "file_name": f"{i}.jpg", "width": 40, "height": 30} for i in range(10)],
            "annotations": [
                {"id": 100 + i, "image_id": i, "category_id": 7 if i % 2 else 3, "bbox": [4, 6, 10, 8]}
                for i in range(10)
            ],
            "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        }
        for i in range(10):
            colour = (200, 20 * i, 30)
            save(root / "images" / f"{i}.jpg", size=(40, 30), colour=colour, **({"exif": exif} if exif else {}))
        change(document)
        (root / "boxes.json").write_text(json.dumps(document))
        return f"coco:{root / 'images'},{root / 'boxes.json'}"

    def test_boxes_become_corners_and_labels_indices(self, tmp_path):
        data = open_data(self.make(tmp_path))
        assert data.labels == ("cat", "dog")
        assert (len(data.train), len(data.validation), len(data.test)) == (7, 1, 2)
        for example in data.train:
            assert example.boxes.tolist() == [[4, 6, 14, 14]]
            assert example.labels.tolist() == [int(example.name[0]) % 2]

    def test_crowds_are_left_out_and_images_without_boxes_stay(self, tmp_path):
        def crowd(document):
            for entry in document["annotations"][1:]:
                entry["iscrowd"] = 1

        data = open_data(self.make(tmp_path, crowd))
        everything = [*data.train, *data.validation, *data.test]
        assert sum(len(example.boxes) for example in everything) == 1 and len(everything) == 10

    @pytest.mark.parametrize("value", range(1, 9))
    @pytest.mark.parametrize("stored", [True, False])
    def test_boxes_follow_the_turned_image(self, tmp_path, value, stored):
        exif = Image.Exif()
        exif[0x0112] = value
        turned = value >= 5

        def size(document):
            for entry in document["images"]:
                if turned and not stored:
                    entry["width"], entry["height"] = 30, 40

        source = self.make(tmp_path, size, exif)
        # One bright rectangle where the box is, in the image that the annotations are about.
        for path in (tmp_path / "images").iterdir():
            picture = np.zeros((30, 40, 3), np.uint8)
            if (turned and not stored) or not turned:
                from samesight.contract.orientation import from_exif

                upright = np.zeros((40, 30, 3) if turned else (30, 40, 3), np.uint8)
                upright[6:14, 4:14] = 255
                turn = from_exif(value)
                undo = turn if turn.mirrored else type(turn)(-turn.quarter_turns % 4)
                picture = undo.upright(upright)
            else:
                picture[6:14, 4:14] = 255
            picture[0, 0, 2] = 20 * int(path.stem)
            Image.fromarray(picture).save(path, quality=100, exif=exif)
        example = open_data(source).train[0]
        x1, y1, x2, y2 = example.boxes[0].astype(int)
        bright = example.pixels[..., 1] > 128
        assert bright[y1:y2, x1:x2].mean() > 0.9 and bright.sum() < 1.2 * (x2 - x1) * (y2 - y1)

    @pytest.mark.parametrize(
        ("box", "words"),
        [
            ([4, 6, -3, 8], "of no size"),
            ([4, 6, 0, 8], "of no size"),
            ([4, 6, 10, float("nan")], "finite"),
            ([4, 6, 1e400, 8], "finite"),
            ([50, 6, 10, 8], "outside its image of 40 x 30"),
            ([-20, 6, 10, 8], "outside"),
            ([4, 6, 10], "four finite numbers"),
            (["4", 6, 10, 8], "four finite numbers"),
            (None, "four finite numbers"),
        ],
    )
    def test_a_bad_box_is_named_by_its_annotation(self, tmp_path, box, words):
        source = self.make(tmp_path, lambda document: document["annotations"][5].update(bbox=box))
        with pytest.raises(SamesightError, match=words) as error:
            open_data(source)
        assert "annotation 105" in str(error.value) and "boxes.json" in str(error.value)

    def test_rounded_sides_are_clipped(self, tmp_path):
        source = self.make(tmp_path, lambda document: document["annotations"][0].update(bbox=[-1, 6, 42, 8]))
        data = open_data(source)
        boxes = [example.boxes[0].tolist() for part in (data.train, data.validation, data.test) for example in part]
        assert [0, 6, 40, 14] in boxes

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda d: d["annotations"][2].update(category_id=99), "annotation 102 has the unknown category 99"),
            (lambda d: d["annotations"][2].update(image_id=99), "annotation 102 belongs to the unknown image 99"),
            (lambda d: d["images"][4].update(file_name="gone.jpg"), "gone.jpg: missing.*image 4"),
            (lambda d: d["images"][4].update(file_name="../boxes.json"), "outside"),
            (lambda d: d["images"][4].update(width=80), "image 4 is said to be 80 x 30"),
            (lambda d: d["images"][4].pop("file_name"), "image 4 has no file_name"),
            (lambda d: d["categories"].append({"id": 8, "name": "cat"}), "twice"),
            (lambda d: d["categories"].clear(), "no category"),
            (lambda d: d["annotations"].clear(), "has no annotation"),
            (lambda d: d.pop("images"), "no list 'images'"),
            (lambda d: d["images"].clear() or d["annotations"].clear(), "names no image"),
        ],
    )
    def test_a_faulty_file_is_named(self, tmp_path, change, words):
        with pytest.raises(SamesightError, match=words) as error:
            open_data(self.make(tmp_path, change))
        assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)

    def test_not_json(self, tmp_path):
        source = self.make(tmp_path)
        (tmp_path / "boxes.json").write_text('{"images": [')
        with pytest.raises(SamesightError, match=r"boxes\.json: not a JSON document"):
            open_data(source)

    def test_an_image_that_is_none(self, tmp_path):
        source = self.make(tmp_path)
        (tmp_path / "images" / "6.jpg").write_bytes(b"text")
        data = open_data(source)
        damaged = []
        for part in (data.train, data.validation, data.test):
            damaged += [one for one in read_each(part, lambda e: e.pixels) if isinstance(one, Damaged)]
            assert names(readable(part)) == [name for name in names(part) if name != "6.jpg"]
        (one,) = damaged
        assert one.name == "6.jpg" and one.reason.startswith(f"{tmp_path / 'images' / '6.jpg'}: not an image")

    def test_a_crowd_that_is_no_box_is_no_fault(self, tmp_path):
        def crowds(document):
            for number, change in enumerate(({"bbox": [0, 0, 0, 0]}, {"category_id": 9}, {"bbox": None})):
                document["annotations"].append(document["annotations"][0] | {"id": 500 + number, "iscrowd": 1} | change)
            document["annotations"].append(
                document["annotations"][0] | {"id": 600, "iscrowd": 1, "bbox": [1, 2, 20, 9]}
            )

        data = open_data(self.make(tmp_path, crowds))
        everything = [*data.train, *data.validation, *data.test]
        assert sum(len(example.boxes) for example in everything) == 10
        (crowd,) = [example for example in everything if len(example.crowd_boxes)]
        assert crowd.crowd_boxes.tolist() == [[1, 2, 21, 11]] and crowd.crowd_labels.tolist() == [0]

    def test_sizes_may_be_text_or_missing(self, tmp_path):
        def sizes(document):
            for entry in document["images"][:5]:
                entry.update(width=str(entry["width"]), height=str(entry["height"]))
            for entry in document["images"][5:8]:
                entry.update(width=None, height=None)
            document["images"][8].pop("width")

        assert len(open_data(self.make(tmp_path, sizes)).train) == 7

    @pytest.mark.parametrize("value", ["wide", "", [40], 40.5, True, 0, {}])
    def test_a_size_that_is_none_is_named(self, tmp_path, value):
        source = self.make(tmp_path, lambda document: document["images"][4].update(width=value))
        with pytest.raises(SamesightError, match=r"image 4 has the width .*, not a whole number of pixels"):
            open_data(source)

    @pytest.mark.parametrize("key", ["category_id", "image_id"])
    @pytest.mark.parametrize("value", [[3], {}, "3", None, 3.5])
    def test_an_id_that_is_no_number_is_named(self, tmp_path, key, value):
        source = self.make(tmp_path, lambda document: document["annotations"][2].update({key: value}))
        with pytest.raises(SamesightError, match=f"annotation 102 has the {key} .*, not a whole number") as error:
            open_data(source)
        assert repr(value) in str(error.value)

    @pytest.mark.parametrize("disk", ["NFC", "NFD"])
    def test_names_are_found_composed_decomposed_and_with_backslashes(self, tmp_path, disk):
        def rename(document):
            for entry in document["images"]:
                name = f"sub/stück_{entry['id']}.jpg"
                (tmp_path / "images" / "sub").mkdir(exist_ok=True)
                old = tmp_path / "images" / entry["file_name"]
                old.rename(tmp_path / "images" / unicodedata.normalize(disk, name))
                form = "NFD" if disk == "NFC" else "NFC"
                entry["file_name"] = unicodedata.normalize(form, name).replace("/", "\\" if entry["id"] % 2 else "/")

        data = open_data(self.make(tmp_path, rename))
        assert len(data.train) == 7 and data.train[0].pixels.shape == (30, 40, 3) and not data.notes

    def test_a_picture_under_two_ids_is_one_image_with_the_boxes_of_both(self, tmp_path):
        def twice(document):
            shutil.copy(tmp_path / "images" / "5.jpg", tmp_path / "images" / "other.jpg")
            document["images"] += [
                {"id": 20, "file_name": "3.jpg", "width": 40, "height": 30},
                {"id": 21, "file_name": "other.jpg", "width": 40, "height": 30},
            ]
            document["annotations"] += [
                document["annotations"][3] | {"id": 700, "image_id": 20},
                document["annotations"][3] | {"id": 701, "image_id": 20, "bbox": [20, 6, 5, 8]},
                document["annotations"][5] | {"id": 702, "image_id": 21, "category_id": 3},
            ]

        data = open_data(self.make(tmp_path, twice))
        everything = {example.name: example for part in (data.train, data.validation, data.test) for example in part}
        assert sorted(everything) == [f"{i}.jpg" for i in range(10)]
        assert everything["3.jpg"].boxes.tolist() == [[4, 6, 14, 14], [20, 6, 25, 14]]
        assert everything["5.jpg"].boxes.tolist() == [[4, 6, 14, 14]] * 2
        assert sorted(everything["5.jpg"].labels.tolist()) == [0, 1]
        (note,) = data.notes
        assert note == (
            "joined, the same bytes under another id: 2 entries, 3.jpg (image 20 as 3), other.jpg (image 21 as 5)"
        )

    def test_a_box_over_the_edge_is_clipped_and_said(self, tmp_path):
        data = open_data(self.make(tmp_path, lambda d: d["annotations"][0].update(bbox=[30, 6, 20, 8])))
        boxes = [example.boxes[0].tolist() for part in (data.train, data.validation, data.test) for example in part]
        assert [30, 6, 40, 14] in boxes
        assert data.notes == ("clipped to the image: 1 box, annotation 100 by 10 pixels",)

    def test_names_of_categories_become_labels(self, tmp_path):
        data = open_data(self.make(tmp_path, lambda d: d["categories"][0].update(name="big\x1b[2J dog\n")))
        assert data.labels == ("cat", "big[2J dog")
        assert data.notes == (r"the category 'big\x1b[2J dog\n' is called 'big[2J dog'",)
        for name in (" \n", "cat\t"):
            with pytest.raises(SamesightError, match=r"category 7 .*(no name|twice)"):
                open_data(self.make(tmp_path, lambda d, name=name: d["categories"][0].update(name=name)))

    def test_images_that_no_entry_names_are_said(self, tmp_path):
        source = self.make(tmp_path)
        save(tmp_path / "images" / "more" / "new.jpg", colour=(9, 9, 9))
        assert open_data(source).notes == ("left out, not named by the annotation file: more/new.jpg",)
