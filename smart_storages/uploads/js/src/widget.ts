import { guard, settle } from "./forms";
import { Item, ItemOwner } from "./item";
import { icon, make } from "./dom";
import { forget, interrupted } from "./memory";
import { ask } from "./requests";
import { Language, Text } from "./texts";
import { smartUpload } from "./start";
import type { Upload, UploadResult } from "./types";

/** Files of one field that are sent at the same time, each in several parts. */
const AT_ONCE = 3;

/** A JSON attribute; undefined when there is none, or none that can be read. */
function json(text: string | undefined): any {
  try {
    return text && JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A file input with its list of uploads; see `attach`. */
export class Widget implements ItemOwner {
  readonly language: Language;
  readonly input: HTMLInputElement;
  private readonly _hidden: HTMLInputElement | null;
  private readonly _zone: HTMLElement;
  private readonly _list = make("ul", "su-list");
  private readonly _message = make("p", "su-note");
  private readonly _offer = make("div", "su-offer");
  private readonly _live = make("div", "su-live", { role: "status" });
  private readonly _required: boolean;
  private readonly _several: boolean;
  private _items: Item[] = [];

  constructor(
    readonly root: HTMLElement,
    private readonly _onChange: () => void,
  ) {
    const { texts, multiple } = root.dataset;
    const code = root.closest<HTMLElement>("[lang]")?.lang;
    this.language = new Language(json(texts) || {}, code);
    this.input = root.querySelector<HTMLInputElement>("input[type=file]")!;
    this._hidden = root.querySelector<HTMLInputElement>("input[type=hidden]");
    this._required = this.input.required;
    this._several = multiple !== undefined && multiple !== "false";
    const limit = Number(root.dataset.maxSize);
    // What only the bucket limits would be news to nobody.
    const hint =
      limit && limit < 2 ** 40
        ? this.language.say("limit", { size: this.language.size(limit) })
        : "";

    const prompt = this.language.say(this._several ? "dropSeveral" : "drop");

    this._zone = make(
      "div",
      "su-zone",
      {},
      icon("upload"),
      make("span", "su-prompt", {}, prompt),
      make("span", "su-hint", {}, hint),
    );
    // Django gives file inputs a legend in place of a label.
    if (!this.input.labels!.length) this.input.setAttribute("aria-label", prompt);
    this.input.before(this._zone);
    this._zone.append(this.input);
    this._zone.after(this._offer, this._list, this._message, this._live);
    root.classList.add("su-on");
    this._listen();
    guard(this);
    this._restore();
    void this._offerInterrupted();
    this._render();
    // Chosen before this script was there, or kept by the browser over a reload.
    if (this.input.files!.length) this.add([...this.input.files!]);
  }

  get active(): boolean {
    return this._items.some((item) => item.active);
  }

  get failed(): Item | undefined {
    return this._items.find((item) => item.state === "failed");
  }

  /** Take files as if they were chosen. */
  add(files: File[]): void {
    let taken = files;
    this.note("");
    if (!this._several) {
      taken = files.slice(0, 1);
      if (taken.length) this._items.slice().forEach((item) => item.remove(true));
      if (files.length > 1) this.note("onlyOne");
    }
    const held = document.activeElement === this.input;
    for (const file of taken) {
      const item = new Item(this, file, file.name, file.size, this._problem(file));
      this._items.push(item);
      this._list.append(item.element);
    }
    this.input.value = "";
    this._run();
    if (held && this._zone.hidden) this._items[0]?.focus();
  }

  /** Forget all files; what is under way is cancelled. */
  clear(): void {
    this._items.slice().forEach((item) => item.remove(true));
  }

  /** Go on with what was paused. */
  resume(): void {
    this._items.forEach((item) => item.upload?.resume());
  }

  /** Stop what is under way without cancelling it: the page has thrown the widget away. */
  leave(): void {
    this._items.forEach((item) => item.upload?.pause());
  }

  /** The page has put it back, perhaps into another form. */
  back(): void {
    guard(this);
    this.resume();
  }

  note(text: Text | ""): void {
    this._message.textContent = text && this.language.say(text);
    if (text) this.announce(this._message.textContent!);
  }

  announce(text: string): void {
    this._live.textContent = text;
  }

  start(item: Item): Upload {
    const { endpoint, field, csrf } = this.root.dataset;
    return smartUpload(item.file!, {
      endpoint: endpoint!,
      field: field!,
      csrfToken: csrf,
      onProgress: (progress) => item.advance(progress),
      onState: (state) => item.enter(state),
    });
  }

  changed(item: Item): void {
    if (!this._items.includes(item)) return;
    if (item.state === "done") {
      const { result: detail } = item;
      this.root.dispatchEvent(new CustomEvent("smart-upload:done", { bubbles: true, detail }));
    }
    this._run();
  }

  removed(item: Item): void {
    const at = this._items.indexOf(item);
    const held = item.element.contains(document.activeElement);
    this._items.splice(at, 1);
    if (item.result && !item.upload) this._cancel(item.result.token);
    item.element.remove();
    this._run();
    // The focus must not fall back to the beginning of the page.
    if (held) (this._items[Math.min(at, this._items.length - 1)] || this.input).focus();
  }

  private _listen(): void {
    const { _zone: zone, input } = this;
    const over = (event: DragEvent, inside: boolean): void => {
      if (input.disabled || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.toggle("su-over", inside);
    };
    zone.addEventListener("dragover", (event) => over(event, true));
    zone.addEventListener("dragleave", (event) => over(event, false));
    zone.addEventListener("drop", (event) => {
      over(event, false);
      if (event.defaultPrevented) this.add([...event.dataTransfer!.files]);
    });
    input.addEventListener("change", () => this.add([...input.files!]));
  }

  private _run(): void {
    const running = this._items.filter((item) => item.active && item.state !== "queued").length;
    const queued = this._items.filter((item) => item.state === "queued");
    queued.slice(0, Math.max(0, AT_ONCE - running)).forEach((item) => void item.start());
    this._render();
    if (!this.active && !this.failed) this.note("");
    settle(this);
    this._onChange();
  }

  private _render(): void {
    const tokens = this._items.flatMap((item) => item.result?.token ?? []);
    if (this._hidden) {
      const value = this._several ? JSON.stringify(tokens) : tokens[0]!;
      this._hidden.value = tokens.length ? value : "";
    }
    this.input.required = this._required && !this._items.length;
    this._zone.hidden = !this._several && this._items.some((item) => item.state !== "failed");
    this._zone.classList.toggle("su-small", this._items.length > 0);
  }

  private _problem(file: File): string {
    const { maxSize, accept } = this.root.dataset;
    const limit = Number(maxSize);
    if (!file.size) return this.language.say("empty");
    if (limit && file.size > limit) {
      return this.language.say("tooLarge", { size: this.language.size(limit) });
    }
    return accepts(accept || this.input.accept, file) ? "" : this.language.say("wrongType");
  }

  private _cancel(token: string): void {
    const { endpoint, field, csrf } = this.root.dataset;
    const options = { endpoint: endpoint!, field: field!, csrfToken: csrf };
    void ask(options, "cancel", { token }).catch(() => undefined);
  }

  /** Show what was uploaded before the server sent the form back. */
  private _restore(): void {
    for (const result of (json(this.root.dataset.uploaded) || []) as UploadResult[]) {
      const item = new Item(this, null, result.name, result.size);
      this._items.push(item);
      this._list.append(item.element);
      item.restore(result);
    }
  }

  private async _offerInterrupted(): Promise<void> {
    const { endpoint, field } = this.root.dataset;
    for (const [key, { name, token }] of await interrupted(endpoint!, field!)) {
      const discard = make("button", "su-text", { type: "button" }, this.language.say("discard"));
      const text = this.language.say("interrupted", { name });
      const line = make("p", "su-interrupted", {}, text, " ", discard);
      discard.onclick = () => {
        forget(key);
        line.remove();
        this.input.focus();
        this._cancel(token);
      };
      this._offer.append(line);
      this.input.addEventListener("change", () => line.remove(), { once: true });
    }
  }
}

/** Whether a file is one of those that `accept` of its input names; where in doubt it is. */
function accepts(accept: string, { name, type }: File): boolean {
  const wanted = accept
    .toLowerCase()
    .split(",")
    .map((each) => each.trim())
    .filter(Boolean);
  return (
    !wanted.length ||
    wanted.some((each) => {
      if (each.startsWith(".")) return name.toLowerCase().endsWith(each);
      return !type || (each.endsWith("/*") ? type.startsWith(each.slice(0, -1)) : type === each);
    })
  );
}
