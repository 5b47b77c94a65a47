import { Widget } from "./widget";

const SELECTOR = "[data-smart-upload]";

const attached = new Map<Element, Widget>();
/** Also those that are not in the page now: what they have uploaded is not lost if they come back. */
const known = new WeakMap<Element, Widget>();

/**
 * Let the file inputs inside `data-smart-upload` upload what is chosen. Called for the page and
 * for what is added to it later; a second time does nothing.
 */
export function attach(root: ParentNode = document): void {
  const elements = [...root.querySelectorAll<HTMLElement>(SELECTOR)];
  if (root instanceof HTMLElement && root.matches(SELECTOR)) elements.push(root);
  for (const element of elements) {
    const input = element.querySelector<HTMLInputElement>("input[type=file]");
    // The empty form of a formset is a template: its copies are attached.
    if (!input || input.name.includes("__prefix__") || attached.has(element)) continue;
    const old = known.get(element);
    const widget = old || new Widget(element, leaving);
    known.set(element, widget);
    attached.set(element, widget);
    old?.back();
  }
}

/**
 * Attach what the page holds now, and what it is given later.
 * @internal
 */
export function watch(): void {
  attach();
  new MutationObserver((records) => {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) if (node instanceof HTMLElement) attach(node);
    }
    sweep();
  }).observe(document, { childList: true, subtree: true });
}

/** Widgets that the page has thrown away let go of their uploads. */
function sweep(): void {
  attached.forEach((widget, element) => {
    if (element.isConnected) return;
    widget.leave();
    attached.delete(element);
    leaving();
  });
}

function stay(event: Event): void {
  event.preventDefault();
}

/** The browser asks before the page is left, as long as something is under way. */
function leaving(): void {
  const active = [...attached.values()].some((widget) => widget.active);
  if (active) addEventListener("beforeunload", stay);
  else removeEventListener("beforeunload", stay);
}
