// Elements from names, attributes and children; every text becomes a text node.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function drawn(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A part of a view with its heading; null where there is nothing in it. */
export function section(title, ...children) {
  const there = children.flat(Infinity).filter(Boolean);
  if (!there.length) return null;
  const id = `part-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...there);
}

/** Say something to who does not see the page. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Arrow keys, Home and End move among the links or buttons of a list. */
export function byArrows(list) {
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    const all = [...list.querySelectorAll("a, button")];
    const here = all.indexOf(document.activeElement);
    if (here < 0) return;
    let next = here + (steps[event.key] ?? 0);
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = all.length - 1;
    if (next === here) return;
    event.preventDefault();
    all[(next + all.length) % all.length].focus();
  });
  return list;
}

export function select(label, options, value, changed) {
  const box = h(
    "select",
    { onchange: () => changed(box.value) },
    options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)),
  );
  return h("label", { class: "field" }, h("span", {}, label), box);
}
