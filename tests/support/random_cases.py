"""Random cases for another language's contract: what it is told, and what must come out, each as one line of text."""

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from samesight.contract.answers import answers
from samesight.contract.errors import SamesightError
from samesight.contract.image import Picture
from samesight.contract.orientation import Orientation
from samesight.contract.preprocess import geometry, preprocess
from samesight.contract.random_images import Generator, random_image, random_side
from samesight.contract.spec import ModelSpec, parse_spec
from samesight.contract.tensor_layout import dequantize, pack
from samesight.contract.yuv import Plane, Yuv420, chroma_size, rgb_to_yuv420, yuv420_from_bytes, yuv420_to_rgb

CASES_OF_ONE_IMAGE = 4
LAYOUTS = ("i420", "nv12", "nv21")
# How a picture reaches the contract: RGB bytes, planes with strides of their own, or a frame in one buffer.
KINDS = ("rgb", "rgb", "planes", *LAYOUTS)
# And from a camera of iOS: four bytes a pixel, or two planes, with padding after the rows.
BUFFER_KINDS = ("bgra", "rgba", "biplanar")
TENSOR_LAYOUTS = ("int8_nhwc", "float32_nhwc", "float32_nchw", "bgra8_nhwc")
LETTERS = "abcdefgh"


def pick(generator, choices):
    return choices[generator.below(len(choices))]


def flip(generator):
    return generator.below(2) == 1


# ---- pixels ----


def pixel_cases(count, seed, kinds=KINDS):
    """Consecutive cases share a stored image, because drawing it takes longer than all that is done to it."""
    generator = Generator(seed)
    cases = []
    while len(cases) < count:
        stored = stored_image(generator, kinds)
        cases += [stored | pixel_case(generator) for _ in range(CASES_OF_ONE_IMAGE)]
    return cases[:count]


def stored_image(generator, kinds):
    width, height = random_side(generator, 4000), random_side(generator, 3000)
    if flip(generator):
        width, height = min(height, 4000), min(width, 3000)
    kind = pick(generator, kinds)
    columns = (width, *[chroma_size(width, height)[0]] * 2)
    strides = []
    for samples in columns:
        step = 1 + generator.below(3)
        strides.append([(samples - 1) * step + 1 + generator.below(3) * generator.below(40), step])
    return {"seed": str(generator.next()), "width": width, "height": height, "kind": kind, "planes": strides} | colours(
        generator
    )


def colours(generator):
    return {"matrix": pick(generator, ("bt601", "bt709")), "range": pick(generator, ("video", "full"))}


def pixel_case(generator):
    return orientation(generator) | {
        "input_layout": pick(generator, TENSOR_LAYOUTS),
        "spec": classifier(random_input(generator)),
    }


def orientation(generator):
    return {"quarter_turns": generator.below(4), "mirrored": flip(generator)}


def random_input(generator):
    width, height = random_side(generator, 400), random_side(generator, 400)
    channels = pick(generator, ("rgb", "bgr", "grey"))
    framing = pick(
        generator,
        (
            {"rule": "stretch"},
            {"rule": "crop", "resize_shorter": max(width, height) + generator.below(60)},
            {"rule": "letterbox", "pad": generator.below(256)},
            {
                "rule": "stretch_crop",
                "resize_width": width + generator.below(60),
                "resize_height": height + generator.below(60),
            },
        ),
    )
    count = 1 if channels == "grey" else 3
    return {
        "width": width,
        "height": height,
        "channels": channels,
        "framing": framing,
        "filter": pick(generator, ("bilinear", "bilinear", "bicubic")),
        "mean": [0.5] * count,
        "std": [0.25] * count,
    }


def classifier(input):
    return {
        "name": "random",
        "task": "classification",
        "input": input,
        "outputs": {"tensors": ["l"], "roles": {"logits": {"tensor": "l"}}, "activation": "softmax"},
        "labels": ["a", "b"],
    }


def expected_pixels(cases, processes=2):
    """One line per case: frame, SHA-256 of the tensor, of the packed tensor and of the camera bytes."""
    groups = [cases[i : i + CASES_OF_ONE_IMAGE] for i in range(0, len(cases), CASES_OF_ONE_IMAGE)]
    with ProcessPoolExecutor(processes) as pool:
        return [line for lines in pool.map(pixels_of_one_image, groups, chunksize=8) for line in lines]


def pixels_of_one_image(cases):
    pixels, camera = stored_pixels(cases[0])
    return [pixel_line(tensor_of(case, pixels), camera) for case in cases]


def stored_pixels(case):
    width, height, kind = case["width"], case["height"], case["kind"]
    generator = Generator(int(case["seed"]))
    image = random_image(generator, width, height)
    if kind in ("rgb", "bgra", "rgba"):
        return image, None
    if kind == "biplanar":
        data = rgb_to_yuv420(image, "nv12", case["matrix"], case["range"])
        return yuv420_to_rgb(yuv420_from_bytes(data, width, height, "nv12"), case["matrix"], case["range"]), None
    if kind != "planes":
        data = rgb_to_yuv420(image, kind, case["matrix"], case["range"])
        return yuv420_to_rgb(yuv420_from_bytes(data, width, height, kind), case["matrix"], case["range"]), data
    chroma = random_image(generator, *chroma_size(width, height))
    planes = [
        plane(pixels[:, :, channel], *strides)
        for channel, (pixels, strides) in enumerate(zip((image, chroma, chroma), case["planes"], strict=True))
    ]
    return yuv420_to_rgb(Yuv420(width, height, *planes), case["matrix"], case["range"]), None


def plane(samples, row_stride, pixel_stride):
    rows, columns = samples.shape
    data = np.zeros((rows - 1) * row_stride + (columns - 1) * pixel_stride + 1, np.uint8)
    np.ndarray(samples.shape, np.uint8, data, strides=(row_stride, pixel_stride))[:] = samples
    return Plane(data, row_stride, pixel_stride)


def tensor_of(case, pixels):
    spec = ModelSpec.model_validate(case["spec"]).input
    picture = Picture(pixels, Orientation(case["quarter_turns"], case["mirrored"]))
    tensor, found = preprocess(picture, spec)
    return tensor, found.frame, pack(tensor, case["input_layout"])


def pixel_line(made, camera):
    tensor, frame, packed = made
    hashes = [hashlib.sha256(array.tobytes()).hexdigest() for array in (tensor, packed)]
    camera_hash = "-" if camera is None else hashlib.sha256(camera).hexdigest()
    numbers = (frame.scaled_width, frame.scaled_height, frame.left, frame.top)
    return " ".join([*map(str, numbers), *hashes, camera_hash])


# ---- answers ----


def answer_cases(count, seed):
    generator = Generator(seed)
    return [answer_case(generator) for _ in range(count)]


def answer_case(generator):
    input = random_input(generator) | {"width": 8 * (1 + generator.below(8)), "height": 8 * (1 + generator.below(8))}
    input["framing"] = pick(
        generator,
        (
            {"rule": "stretch"},
            {"rule": "letterbox"},
            {"rule": "crop", "resize_shorter": 70},
            {"rule": "stretch_crop", "resize_width": 64, "resize_height": 81},
        ),
    )
    labels = list(LETTERS[: 1 + generator.below(len(LETTERS))])
    make = random_classifier if generator.below(4) == 0 else random_detector
    spec, outputs = make(generator, input, labels)
    sizes = {"width": random_side(generator, 4000), "height": random_side(generator, 3000)}
    return (
        {"seed": str(generator.next()), "spec": spec, "outputs": outputs, "upright": flip(generator)}
        | sizes
        | (orientation(generator))
    )


def random_classifier(generator, input, labels):
    spec = classifier(input) | {"labels": labels, "top_k": 1 + generator.below(6)}
    spec["outputs"] = spec["outputs"] | {"activation": pick(generator, ("none", "softmax", "sigmoid"))}
    return spec, {"logits": random_output(generator, [1, len(labels)], 512)}


def random_detector(generator, input, labels):
    activation = pick(generator, ("none", "softmax", "sigmoid"))
    coding = random_coding(generator)
    roles = ["logits", "boxes"] + ["objectness"] * flip(generator)
    background = None if activation == "sigmoid" or flip(generator) else generator.below(len(labels) + 1)
    grids = [(input["width"] // s) * (input["height"] // s) for s in coding.get("strides", [])]
    grids += [g["columns"] * g["rows"] * len(g["anchors"]) for g in coding.get("grids", [])]
    positions = sum(grids) or 1 + generator.below(300)
    spec = classifier(input) | {
        "task": "detection",
        "labels": labels,
        "outputs": {"tensors": roles, "roles": {role: {"tensor": role} for role in roles}, "activation": activation},
        "detection": {
            "boxes": coding,
            "background": background,
            "score_threshold": generator.below(101) / 100,
            "iou_threshold": generator.below(101) / 100,
            "max_detections": 1 + generator.below(200),
            "suppression": pick(generator, ("class_wise", "class_wise", "none")),
            "objectness": pick(generator, ("product", "geometric_mean")),
        },
    }
    levels = {"pixels": 64 * 40, "fraction": 64, "stride": 64 * 3, "anchor": 64 * 3, "deltas": 64 * 20}[
        "deltas" if coding["coding"] == "anchor_deltas" else coding["unit"]
    ]
    outputs = {
        "logits": random_output(generator, [1, positions, len(labels) + (background is not None)], 256),
        "boxes": random_output(generator, [1, positions, 4], levels),
        "objectness": random_output(generator, [1, positions, 1], 128),
    }
    return spec, {role: outputs[role] for role in roles}


def random_coding(generator):
    coding = pick(generator, ("distances", "distances", "grids", "corners", "center_size", "anchor_deltas"))
    if coding in ("grids", "anchor_deltas"):
        return random_anchors(generator, coding)
    if coding != "distances":
        return {"coding": coding, "unit": pick(generator, ("pixels", "fraction"))}
    strides = pick(generator, ([4], [8], [8, 4], [2, 8]))
    return {"coding": coding, "unit": pick(generator, ("pixels", "fraction", "stride")), "strides": strides}


def random_anchors(generator, coding):
    def length():
        return (1 + generator.below(4000)) / 97

    def grid():
        anchors = [[length(), length()] for _ in range(1 + generator.below(3))]
        cells = {"columns": 1 + generator.below(6), "rows": 1 + generator.below(6)}
        return cells | {"step": [length(), length()], "offset": generator.below(11) / 10, "anchors": anchors}

    grids = [grid() for _ in range(1 + generator.below(3))]
    if coding == "grids":
        return {"coding": "distances", "unit": pick(generator, ("pixels", "fraction", "anchor")), "grids": grids}
    divisors = pick(generator, ([1.0] * 4, [10.0, 10.0, 5.0, 5.0], [length() for _ in range(4)]))
    return {"coding": coding, "unit": "pixels", "grids": grids, "divisors": divisors}


def random_output(generator, shape, level):
    if generator.below(3):
        return {"shape": shape, "bounds": [-level // 2, level]}
    return {"shape": shape, "bounds": [-128, 127], "scale": level / 64 / 97, "zero_point": generator.below(256) - 128}


def expected_answers(case):
    """One line: label, index, score and box of each answer, floats as the bits of float32."""
    spec = parse_spec(json.dumps(case["spec"]), "spec")
    generator = Generator(int(case["seed"]))
    outputs = {role: values(generator, case["outputs"][role]) for role in spec.roles}
    turned = Orientation(case["quarter_turns"], case["mirrored"])
    found = geometry(case["width"], case["height"], turned, spec.input)
    return ";".join(
        " ".join([a.label, str(a.index), *(bits(value) for value in (a.score, *(a.box or ())))])
        for a in answers(outputs, spec, found, case["upright"])
    )


def values(generator, output):
    low, high = output["bounds"]
    drawn = [generator.below(high - low + 1) + low for _ in range(int(np.prod(output["shape"])))]
    if "scale" in output:
        flat = dequantize(np.array(drawn, np.int8), output["scale"], output["zero_point"])
    else:
        flat = np.array(drawn, np.float32) / np.float32(64)
    return flat.reshape(output["shape"])


def bits(value):
    return f"{int(np.float32(value).view(np.uint32)):08x}"


def sentence_or(make, *arguments):
    try:
        return make(*arguments)
    except SamesightError as error:
        return str(error)
