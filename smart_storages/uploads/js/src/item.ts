import { UploadError } from "./errors";
import { icon, label, make } from "./dom";
import type { Language, Text } from "./texts";
import type { Upload, UploadProgress, UploadResult, UploadState } from "./types";

/** A file in the list: chosen now, or uploaded before the form came back. */
export type ItemState = UploadState | "queued";

/** What an item asks of the widget around it. */
export interface ItemOwner {
  readonly language: Language;
  start(item: Item): Upload;
  changed(item: Item): void;
  removed(item: Item): void;
  announce(text: string): void;
}

/** Previews of larger images would take long, and much memory. */
const LARGEST_PREVIEW = 32 * 1024 * 1024;
/** Milliseconds between two announcements of progress to a screen reader. */
const QUIET = 30_000;

/** States in which an item keeps its form from being sent. */
const ACTIVE: ItemState[] = ["queued", "preparing", "uploading", "waiting", "paused", "finishing"];

/** One line of the list. */
export class Item {
  state: ItemState = "queued";
  result: UploadResult | null = null;
  upload: Upload | null = null;
  readonly element: HTMLLIElement;
  private readonly _status = make("span", "su-status");
  private readonly _bar: HTMLProgressElement;
  private readonly _picture = make("span", "su-picture");
  private readonly _main = make("button", "su-button", { type: "button" });
  private readonly _end = make("button", "su-button", { type: "button" });
  private _progress: UploadProgress;
  private _spoken = 0;
  private _lost = -QUIET;
  private _preview = "";
  private _image: HTMLImageElement | null = null;

  constructor(
    private readonly _owner: ItemOwner,
    readonly file: File | null,
    readonly name: string,
    size: number,
    /** Why the file is not taken at all. */
    private _error = "",
  ) {
    this._progress = { loaded: 0, total: size, rate: 0, secondsLeft: null };
    this._bar = make("progress", "su-bar", { "aria-label": name });
    const title = make("span", "su-name", { title: name }, make("bdi", "", {}, name));
    const body = make("div", "su-body", {}, title, this._status, this._bar);
    const actions = make("div", "su-actions", {}, this._main, this._end);
    this.element = make("li", "su-item", {}, this._picture, body, actions);
    this._main.onclick = () => this._act();
    this._end.onclick = () => this.remove();
    if (file) this._showPreview(file);
    if (_error) this.enter("failed");
    else this._render();
  }

  get active(): boolean {
    return ACTIVE.includes(this.state);
  }

  /** Whether another attempt may help. */
  private get _retriable(): boolean {
    return !!this.upload;
  }

  async start(): Promise<void> {
    this._error = "";
    this.upload = this._owner.start(this);
    this.enter(this.upload.state);
    this._say("started");
    try {
      this.result = await this.upload;
      this.enter("done");
      this._say("uploaded");
    } catch (error) {
      if (this.state === "cancelled") return;
      this._error = this._explain(error);
      this.enter("failed");
    }
  }

  /** It was uploaded before. */
  restore(result: UploadResult): void {
    this.result = result;
    this.enter("done");
  }

  enter(state: ItemState): void {
    if (this.state === "cancelled") return;
    // The promise of the upload says more about its end than its state does.
    if ((state === "done" && !this.result) || (state === "failed" && !this._error)) return;
    this.state = state;
    this._render();
    if (state === "failed") this._owner.announce(`${this.name}: ${this._error}`);
    const now = performance.now();
    // A bad line comes and goes; that it is back, the next announcement of progress tells.
    if (state === "waiting" && now > this._lost + QUIET) {
      this._lost = now;
      this._say("waiting");
    }
    this._owner.changed(this);
  }

  advance(progress: UploadProgress): void {
    this._progress = progress;
    this._render();
    const now = performance.now();
    if (now - this._spoken > QUIET) {
      this._owner.announce(`${this.name}: ${this._percent}`);
      this._spoken = now;
    }
  }

  focus(): void {
    (this._main.hidden ? this._end : this._main).focus();
  }

  /** Take it off the list, and what arrived off the server. */
  remove(quietly = false): void {
    const text = this.active ? "cancelled" : "removed";
    const { upload } = this;
    this.state = "cancelled";
    upload?.cancel();
    if (this._preview) URL.revokeObjectURL(this._preview);
    if (!quietly) this._say(text);
    this._owner.removed(this);
  }

  private _act(): void {
    if (this.state === "failed") void this.start();
    else if (this.state === "paused") this.upload?.resume();
    else this.upload?.pause();
  }

  private _say(text: Text): void {
    this._spoken = performance.now();
    this._owner.announce(this._owner.language.say(text, { name: this.name }));
  }

  private _explain(error: unknown): string {
    const { code, message } = error as UploadError;
    // The server says what is wrong in the user's words; a bucket, a proxy and the browser do not.
    const known = ["unreadable", "network"].includes(code) ? (code as Text) : "server";
    return error instanceof UploadError && message !== code
      ? message
      : this._owner.language.say(known);
  }

  private _showPreview(file: File): void {
    if (!file.type.startsWith("image/") || file.size > LARGEST_PREVIEW) return;
    this._preview = URL.createObjectURL(file);
    const image = make("img", "su-image", { src: this._preview, alt: "" });
    // Not an image after all, or the page's policy does not allow blobs.
    image.onerror = () => {
      this._image = null;
      this._render();
    };
    this._picture.replaceChildren(image);
    this._image = image;
  }

  private get _percent(): string {
    const { loaded, total } = this._progress;
    return this._owner.language.percent(total ? loaded / total : 0);
  }

  private _render(): void {
    const { state, name, _bar: bar } = this;
    const { language } = this._owner;
    const { loaded, total } = this._progress;
    this.element.dataset.state = state;
    this._status.textContent = this._describe();
    bar.hidden = !this.active;
    // Without a value it moves: something happens, nobody knows how far it is.
    if (state === "preparing" && !loaded) bar.removeAttribute("value");
    else bar.value = total ? loaded / total : 0;
    if (!this._image) {
      this._picture.replaceChildren(icon(state === "done" || state === "failed" ? state : "file"));
    }

    const held = document.activeElement === this._main;
    this._main.hidden = !(
      ["uploading", "waiting", "paused"].includes(state) ||
      (state === "failed" && this._retriable)
    );
    const act = state === "paused" ? "resume" : state === "failed" ? "retry" : "pause";
    if (this.element.dataset.act !== act) {
      this.element.dataset.act = act;
      label(this._main, act, language.say(act, { name }));
    }
    const end = this.active ? "cancel" : "remove";
    if (this.element.dataset.end !== end) {
      this.element.dataset.end = end;
      label(this._end, "remove", language.say(end, { name }));
    }
    if (held && this._main.hidden) this._end.focus();
  }

  private _describe(): string {
    const { language } = this._owner;
    const { loaded, total, rate, secondsLeft } = this._progress;
    const amount = language.say("amount", {
      loaded: language.size(loaded),
      total: language.size(total),
    });
    const parts: string[] = [];
    if (this.state === "failed") parts.push(this._error);
    else if (this.state === "uploading") {
      parts.push(amount);
      if (rate) parts.push(language.size(rate, "-per-second"));
      if (secondsLeft !== null)
        parts.push(language.say("left", { time: language.time(secondsLeft) }));
    } else {
      parts.push(language.say(this.state as Text));
      if (this.state === "paused") parts.push(amount);
      if (this.state === "done" && total) parts.push(language.size(total));
    }
    return parts.join(" · ");
  }
}
