// Pictures and clips. With motion off, what moves is shown by its middle frame.

import { el } from "./dom.js";

let moving = !matchMedia("(prefers-reduced-motion: reduce)").matches;

export const inMotion = () => moving;

const fileOf = (id) => `/file?id=${encodeURIComponent(id)}`;
const stillOf = (id) => `/still?id=${encodeURIComponent(id)}`;

// Clips play while they are seen.
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting && moving) target.play().catch(() => {});
    else target.pause();
  }
});

export function setMotion(on) {
  moving = on;
  for (const picture of document.querySelectorAll("img[data-file]")) {
    picture.src = on ? picture.dataset.file : picture.dataset.still;
  }
  for (const clip of document.querySelectorAll("video")) {
    if (on) clip.play().catch(() => {});
    else clip.pause();
  }
}

// An item's picture or clip by its id.
export function itemMedia(item, said) {
  const frame = el("div", { class: "media" });
  if (!item.media) {
    frame.append("no picture");
  } else if (item.media === "clip" && item.plays) {
    frame.append(clip(fileOf(item.id), stillOf(item.id), said, () => still(frame, item, said)));
  } else {
    const [file, shown] = [item.plays ? fileOf(item.id) : stillOf(item.id), stillOf(item.id)];
    const failed = () => frame.replaceChildren("cannot be shown");
    frame.append(
      el("img", {
        src: moving ? file : shown,
        alt: said,
        loading: "lazy",
        "data-file": file,
        "data-still": shown,
        onerror: failed,
      }),
    );
    if (item.media === "clip") frame.append(el("span", { class: "note" }, "clip, one frame"));
  }
  return frame;
}

// A file that a person has chosen, which lies in this browser alone.
export function ownMedia(file) {
  const frame = el("div", { class: "media" });
  const url = URL.createObjectURL(file);
  const failed = () => frame.replaceChildren("not shown here");
  const picture = () => el("img", { src: url, alt: file.name, onerror: failed });
  frame.append(file.type.startsWith("video/") ? clip(url, "", file.name, failed) : picture());
  return frame;
}

function clip(url, poster, said, failed) {
  const video = el("video", {
    src: url,
    poster: poster || null,
    loop: true,
    playsinline: true,
    preload: "metadata",
    controls: true,
    "aria-label": said,
    onerror: failed,
  });
  video.muted = true;
  seen.observe(video);
  return video;
}

function still(frame, item, said) {
  frame.replaceChildren(
    el("img", { src: stillOf(item.id), alt: said, onerror: () => frame.replaceChildren("cannot be shown") }),
    el("span", { class: "note" }, "clip, one frame"),
  );
}
