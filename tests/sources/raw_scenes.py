"""What the raw examples show: a coloured shape somewhere on a coloured ground, and its captions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

COLOURS = {
    "red": (220, 40, 40),
    "green": (30, 160, 60),
    "blue": (40, 70, 220),
    "yellow": (240, 210, 40),
    "purple": (140, 50, 170),
    "white": (245, 245, 245),
}
SHAPES = ("circle", "square", "triangle", "cross")
PLACES = {"left": (0.25, 0.5), "right": (0.75, 0.5), "top": (0.5, 0.25), "bottom": (0.5, 0.75)}
GROUNDS = {"grey": (110, 110, 110), "black": (10, 10, 10), "orange": (230, 130, 30)}

PHRASES = (
    "a {colour} {shape} at the {place} of a {ground} ground",
    "the {place} of the {ground} picture has a {colour} {shape}",
    "someone drew a {shape} in {colour} on {ground}",
    "there is a {colour} {shape} on the {place} side",
    "a {shape} that is {colour}",
    "{colour} {shape}, {place}, {ground}",
    "this is about a {colour} {shape} in front of {ground}",
    "we see one {shape} and it is {colour}",
    "a {ground} scene with a {colour} {shape} near the {place}",
    "something {colour} like a {shape} at the {place}",
)


@dataclass(frozen=True)
class Scene:
    """What the picture or clip number ``number`` shows; 288 differ."""

    number: int

    def words(self) -> dict[str, str]:
        """Its colour, shape, place and ground."""
        words, rest = {}, self.number
        for key, choices in (
            ("colour", tuple(COLOURS)),
            ("shape", SHAPES),
            ("place", tuple(PLACES)),
            ("ground", tuple(GROUNDS)),
        ):
            rest, chosen = divmod(rest, len(choices))
            words[key] = choices[chosen]
        return words

    def sentences(self, count: int) -> list[str]:
        """``count`` different sentences about it."""
        texts = [phrase.format(**self.words()) for phrase in PHRASES]
        texts += [f"in this video {text}" for text in texts]
        return [f"{texts[n % len(texts)]}{' again' * (n // len(texts))}" for n in range(count)]

    def picture(self, width: int, height: int, shift: float = 0.0) -> Image.Image:
        """Its picture; ``shift``, a share of the width, moves the shape."""
        words = self.words()
        image = Image.new("RGB", (width, height), GROUNDS[words["ground"]])
        draw, fill = ImageDraw.Draw(image), COLOURS[words["colour"]]
        x, y = PLACES[words["place"]]
        x, y, r = (x + shift) * width, y * height, 0.2 * min(width, height)
        if words["shape"] == "circle":
            draw.ellipse((x - r, y - r, x + r, y + r), fill)
        elif words["shape"] == "square":
            draw.rectangle((x - r, y - r, x + r, y + r), fill)
        elif words["shape"] == "triangle":
            draw.polygon(((x - r, y + r), (x + r, y + r), (x, y - r)), fill)
        else:
            draw.rectangle((x - r, y - r / 3, x + r, y + r / 3), fill)
            draw.rectangle((x - r / 3, y - r, x + r / 3, y + r), fill)
        return image


def write_video(
    path: Path,
    scene: Scene,
    frames: int = 12,
    sound: bool = False,
    size: tuple[int, int] = (64, 48),
) -> None:
    """An MP4 of H.264, 12 frames a second, whose shape moves; with a tone by its shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        audio = container.add_stream("aac", rate=22050, layout="mono") if sound else None
        for number in range(frames):
            picture = scene.picture(*size, shift=0.1 * number / frames)
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode())
        if audio is not None:
            times = np.arange(22050 * frames // 12) / 22050
            hertz = 220 * (1 + SHAPES.index(scene.words()["shape"]))
            tone = (8000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)
            whole = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
            whole.rate = 22050
            container.mux(audio.encode(whole))
            container.mux(audio.encode())


def write_picture(path: Path, scene: Scene) -> None:
    """A JPEG of 64 x 48 that shows ``scene``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scene.picture(64, 48).save(path, quality=90)
