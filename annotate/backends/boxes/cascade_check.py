"""Validation of a cascade's XML before OpenCV parses it. OpenCV checks nothing: deep nesting overflows its stack, and
numbers out of range make it read out of bounds or loop forever."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.parsers import expat

from ingest import humane
from ingest.errors import BadInput

FILE_MAX = 32 << 20  # bytes
DEPTH_MAX, PARTS_MAX = 16, 2_000_000
SIDE_MAX = 512  # pixels, of the detection window
CATEGORIES = {"LBP": 256, "HAAR": 0}
KINDS = {"LBP": 8, "HAAR": 1}  # numbers per node besides its two children and its feature


def check(path: Path) -> None:
    """Raise BadInput unless the file is a valid cascade of LBP or HAAR features with every number in range."""
    try:
        if path.stat().st_size > FILE_MAX:
            raise ValueError(f"it is larger than {humane.filesize(FILE_MAX)}")
        data = path.read_bytes()
        _check_nesting(data)
        parser = XMLParser()  # noqa: S314 - no document type, so no entities; nesting is bounded above
        parser.feed(data)
        _check_cascade(parser.close())
    except (OSError, ValueError, AttributeError, ParseError, expat.ExpatError) as error:
        raise BadInput(f"{path}: not a valid OpenCV cascade: {error}. Get the file again.") from error


def _check_nesting(data: bytes) -> None:
    """Check nesting without building a tree; ValueError also for a document type, whose entities could expand."""
    parser = expat.ParserCreate()
    depth = parts = 0

    def begin(*_: object) -> None:
        nonlocal depth, parts
        depth, parts = depth + 1, parts + 1
        if depth > DEPTH_MAX or parts > PARTS_MAX:
            raise ValueError("it is nested too deeply, or has too many parts")

    def end(*_: object) -> None:
        nonlocal depth
        depth -= 1

    def typed(*_: object) -> None:
        raise ValueError("it has a document type")

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = begin, end, typed
    parser.Parse(data, True)  # noqa: FBT003 - it takes no names


def _check_cascade(root: Element) -> None:
    cascade = next((element for element in root if element.find("stages") is not None), None)
    if root.tag != "opencv_storage" or cascade is None:
        raise ValueError("it holds no cascade")
    kind = _text(cascade, "featureType")
    if kind not in KINDS:
        raise ValueError(f"its features are {kind[:20]!r}, not {' or '.join(KINDS)}")
    width, height = _integer(_text(cascade, "width")), _integer(_text(cascade, "height"))
    if not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX):
        raise ValueError("its window has no possible size")
    if _integer(cascade.findtext("featureParams/maxCatCount", "")) != CATEGORIES[kind]:
        raise ValueError("its node format does not match its feature type")
    for level in root.iter():
        names = [child.tag for child in level if child.tag != "_"]
        if len(names) != len(set(names)):  # parsers differ in which of the two they use
            raise ValueError("an element occurs twice")
    features = cascade.findall("features/_")
    for feature in features:
        _check_feature(feature, kind, width, height)
    trees = cascade.findall("stages/_/weakClassifiers/_")
    if not trees or not features:
        raise ValueError("it has no classifiers or no features")
    for tree in trees:
        _check_tree(tree, KINDS[kind], len(features))


def _check_feature(feature: Element, kind: str, width: int, height: int) -> None:
    """Check that a feature's rectangles lie in the window: for LBP one, the first of nine cells; for HAAR one to three,
    which may be rotated."""
    rows = [feature.findtext("rect", "")] if kind == "LBP" else [rect.text or "" for rect in feature.findall("rects/_")]
    turned = feature.findtext("tilted", "0").strip() not in ("", "0")
    if not 1 <= len(rows) <= 3:
        raise ValueError("a feature has no rectangles, or too many")
    for row in rows:
        x, y, wide, high = (_integer(part) for part in row.split()[:4])
        across, down = (3 * wide, 3 * high) if kind == "LBP" else (wide, wide + high if turned else high)
        left = x - high if turned else x
        if not (wide > 0 and high > 0 and left >= 0 and y >= 0 and x + across <= width and y + down <= height):
            raise ValueError("a feature lies outside the window")


def _check_tree(tree: Element, extra: int, features: int) -> None:
    """Check that children are later nodes or existing leaves, and that each node refers to an existing feature."""
    numbers, size = _text(tree, "internalNodes").split(), 3 + extra
    nodes, leaves = len(numbers) // size, len(_text(tree, "leafValues").split())
    if not nodes or len(numbers) % size or leaves != nodes + 1:
        raise ValueError("a tree has the wrong number of nodes or leaves")
    for node in range(nodes):
        left, right, feature = (_integer(part) for part in numbers[node * size : node * size + 3])
        if not 0 <= feature < features:
            raise ValueError("a node refers to a missing feature")
        if not all(node < child < nodes if child > 0 else -child < leaves for child in (left, right)):
            raise ValueError("a branch of a tree leads nowhere or back")


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _integer(text: str) -> int:
    """Parse an integer; a trailing dot is allowed, since OpenCV writes some that way."""
    short = text.strip().removesuffix(".")
    if len(short) > 10:
        raise ValueError("a number is too long")
    return int(short)
