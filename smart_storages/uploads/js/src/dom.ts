const SVG = "http://www.w3.org/2000/svg";

/** Outlines on a square of 24: made as elements, because a policy may forbid images from data. */
const ICONS = {
  upload: "M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3",
  file: "M14 3H7a1 1 0 0 0-1 1v16a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1V7zm0 0v4h4",
  done: "m5 13 4 4L19 7",
  failed: "M12 8v5m0 3v.01M12 3 2.5 20h19z",
  pause: "M9 6v12M15 6v12",
  resume: "M8 5.5v13l11-6.5z",
  retry: "M19 12a7 7 0 1 1-2-5l2 2m0-5v5h-5",
  remove: "m6 6 12 12M18 6 6 18",
};

export type Icon = keyof typeof ICONS;

/** An element with a class, attributes and children. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  name: string,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  element.className = name;
  for (const key in attributes) element.setAttribute(key, attributes[key]!);
  element.append(...children);
  return element;
}

export function icon(name: Icon): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

/** Give a button its meaning. Its element stays, and with it the focus. */
export function label(button: HTMLButtonElement, name: Icon, text: string): void {
  button.title = text;
  button.setAttribute("aria-label", text);
  button.replaceChildren(icon(name));
}
