import { canDigest, digest, read } from "./digests";
import { UploadError } from "./errors";
import { Begun, fileKey, forget, hold, recall, remember } from "./memory";
import { Meter } from "./meter";
import { Present, Signed, ask, send } from "./requests";
import type { UploadOptions, UploadResult, UploadState } from "./types";

/** The longest wait between two attempts, in milliseconds. */
const LONGEST_WAIT = 30_000;
/** URLs that are signed at a time, and milliseconds after which one is not used any more. */
const BATCH = 16;
const FRESH = 300_000;
/** After this many failures in a row the server is asked whether the upload still exists. */
const SUSPICIOUS = 3;
/** How often the server may find parts missing at the end, or the whole upload gone. */
const ROUNDS = 3;

/**
 * Uploads of a page begin one after the other until the first has: with it a visitor gets a session,
 * and two at once would get two, of which the browser keeps one.
 */
let turn: Promise<unknown> | null = Promise.resolve();

/** A part that waits for its URL. */
interface Wanted {
  part: { number: number; sha256?: string };
  resolve: (signed: Signed) => void;
  reject: (error: unknown) => void;
}

/** One file on its way; `smartUpload` makes a promise of it. */
export class Transfer {
  state: UploadState = "preparing";
  private _begun!: Begun;
  private _pending: number[] = [];
  private _completed = 0;
  /** Whether this upload, and no other of the same file, is the one to be resumed. */
  private _remembers = false;
  private readonly _urls = new Map<number, [signed: Signed, at: number]>();
  private _wanted: Wanted[] = [];
  private readonly _meter: Meter;
  private readonly _key: string;
  /** Aborted when the upload ends early, for good. */
  private readonly _ended = new AbortController();
  /** Aborted by a pause, and made anew when it ends. */
  private _sending = new AbortController();
  /** Ends waits early: the connection is back, the user goes on, or all is cancelled. */
  private _wake: (() => void)[] = [];
  private readonly _wakeAll = (): void => this._wake.splice(0).forEach((end) => end());

  constructor(
    private readonly _file: File,
    private readonly _options: UploadOptions,
  ) {
    const { onProgress, endpoint, field } = _options;
    this._meter = new Meter(_file.size, (progress) => onProgress?.(progress));
    this._key = fileKey(endpoint, field, _file);
  }

  async run(): Promise<UploadResult> {
    const { signal } = this._options;
    const cancel = (): void => this.cancel();
    signal?.addEventListener("abort", cancel);
    addEventListener("online", this._wakeAll);
    // A rate goes down while nothing is sent, and nothing tells of that.
    const clock = setInterval(() => this.state === "uploading" && this._meter.tell(), 1000);
    const release = this._options.resume === false ? null : await hold(this._key);
    this._remembers = !!release;
    try {
      if (signal?.aborted) this.cancel();
      const result = await this._attempt();
      this._forget();
      this._meter.tell();
      this._enter("done");
      return result;
    } catch (error) {
      const cancelled = this.state === "cancelled";
      this._ended.abort();
      if (cancelled) throw new UploadError("cancelled");
      this._enter("failed");
      // The browser's own error stands for a file that was moved, changed or is a folder.
      throw error instanceof DOMException ? new UploadError("unreadable") : error;
    } finally {
      signal?.removeEventListener("abort", cancel);
      removeEventListener("online", this._wakeAll);
      clearInterval(clock);
      release?.();
    }
  }

  pause(): void {
    if (!["uploading", "waiting"].includes(this.state)) return;
    this._enter("paused");
    this._sending.abort();
  }

  resume(): void {
    if (this.state === "paused") {
      this._sending = new AbortController();
      this._meter.restart();
      this._enter("uploading");
    }
    this._wakeAll();
  }

  cancel(): void {
    if (this.state === "cancelled") return;
    this._enter("cancelled");
    this._ended.abort();
    this._sending.abort();
    this._wakeAll();
    this._forget();
    if (this._begun) void this._post("cancel").catch(() => undefined);
  }

  private async _attempt(): Promise<UploadResult> {
    for (let round = 1; ; round++) {
      try {
        if (!(await this._continue())) await this._begin();
        return await this._finish();
      } catch (error) {
        // Its token expired, or the bucket deleted the parts: from the beginning, once or twice.
        if (!isGone(error) || !this._begun || round === ROUNDS) throw error;
        this._forget();
      }
    }
  }

  private async _begin(): Promise<void> {
    const { name, size, type } = this._file;
    const { field } = this._options;
    const begin = (): Promise<Begun> => this._post("begin", { field, name, size, type });
    this._begun = await this._persist(() => {
      if (!turn) return begin();
      const begun = turn.then(begin, begin);
      turn = begun;
      return begun;
    });
    turn = null;
    // Cancelled while the answer was on its way.
    if (this.state === "cancelled") await this._post("cancel");
    this._ended.signal.throwIfAborted();
    if (this._remembers) await remember(this._key, this._begun, this._file);
    this._expect(() => 0);
  }

  /** Go on with an upload that was interrupted; false when there is none. */
  private async _continue(): Promise<boolean> {
    const found = this._remembers && (await recall(this._key, this._file));
    if (!found) return false;
    this._begun = found;
    try {
      const answer = await this._persist(() =>
        this._post<{ state: string; parts: Present[] }>("state"),
      );
      if (answer.state === "open") {
        const present = new Map(answer.parts.map((part) => [part.number, part]));
        if (!(await this._differs(answer.parts))) {
          this._expect((number) => present.get(number)?.size ?? 0);
          return true;
        }
        await this._post("cancel");
      }
    } catch (error) {
      this._ended.signal.throwIfAborted();
      if (!(error instanceof UploadError) || error.passes) throw error;
    }
    this._forget();
    return false;
  }

  private _forget(): void {
    if (this._remembers) forget(this._key);
  }

  /** Whether a part that arrived is of another file. */
  private async _differs(parts: Present[]): Promise<boolean> {
    for (const { number, sha256 } of parts) {
      this._ended.signal.throwIfAborted();
      if (sha256 && canDigest && (await digest(this._part(number))) !== sha256) return true;
    }
    return false;
  }

  private _expect(sizeOf: (number: number) => number): void {
    this._pending = [];
    this._urls.clear();
    for (let number = 1; number <= this._begun.parts; number++) {
      const { size } = this._part(number);
      const there = sizeOf(number) === size;
      this._meter.set(number, there ? size : 0);
      if (!there) this._pending.push(number);
    }
    this._meter.restart();
  }

  private async _finish(): Promise<UploadResult> {
    for (let round = 1; ; round++) {
      this._enter("uploading");
      await this._sendPending();
      this._enter("finishing");
      try {
        const answer = await this._persist(() => this._post<UploadResult>("finish"));
        return { ...answer, token: this._begun.token };
      } catch (error) {
        const missing = error instanceof UploadError ? error.missing : [];
        if (!missing.length || round === ROUNDS) throw error;
        this._pending = missing;
        missing.forEach((number) => this._meter.set(number, 0));
      }
    }
  }

  private async _sendPending(): Promise<void> {
    const senders = Math.min(this._options.parallel ?? 4, BATCH, this._pending.length);
    const over = new AbortController();
    const work = async (): Promise<void> => {
      for (let number; (number = this._pending.shift());) await this._sendPart(number, over.signal);
    };
    try {
      await Promise.all(Array.from({ length: senders }, work));
    } catch (error) {
      // The others must not go on behind the back of an upload that failed.
      this._pending = [];
      over.abort();
      this._sending.abort();
      this._sending = new AbortController();
      this._wakeAll();
      throw error;
    }
  }

  private _part(number: number): Blob {
    const { partSize } = this._begun;
    return this._file.slice((number - 1) * partSize, number * partSize);
  }

  private async _sendPart(number: number, over: AbortSignal): Promise<void> {
    let before = this._completed;
    await this._persist(
      async () => {
        over.throwIfAborted();
        const { signal } = this._sending;
        const body = this._part(number);
        const signed = await this._sign(number, body);
        over.throwIfAborted();
        await send(
          signed,
          body,
          (bytes) => {
            if (signal.aborted) return;
            if (this.state === "waiting") this._enter("uploading");
            this._meter.set(number, bytes);
          },
          signal,
        );
        this._meter.set(number, body.size);
      },
      async (failures, { status }) => {
        over.throwIfAborted();
        this._meter.set(number, 0);
        if (!failures) return false;
        await read(this._part(number).slice(-1));
        if (failures % SUSPICIOUS === 0 || status === 404) await this._check();
        // Whoever gets one part through after the other on a bad line is not to give up.
        const moved = this._completed > before;
        before = this._completed;
        return moved;
      },
    );
    this._completed++;
    if (this.state === "waiting") this._enter("uploading");
  }

  /** Fail when the bucket deleted the upload, which answers that it does not let the page read. */
  private async _check(): Promise<void> {
    try {
      const { state } = await this._post<{ state: string }>("state");
      if (state !== "open") throw new UploadError("gone");
    } catch (error) {
      if (isGone(error)) throw error;
    }
  }

  /** A URL for a part: signed a moment ago, with others, or now. */
  private async _sign(number: number, body: Blob): Promise<Signed> {
    const [known, at] = this._urls.get(number) ?? [];
    this._urls.delete(number);
    if (known && performance.now() - at! < FRESH) return known;
    const part = this._digests ? { number, sha256: await digest(body) } : { number };
    return new Promise((resolve, reject) => {
      // Those that are asked for at the same moment go in one request.
      if (this._wanted.push({ part, resolve, reject }) === 1) setTimeout(() => this._askForUrls());
    });
  }

  private get _digests(): boolean {
    return this._begun.sha256 && canDigest;
  }

  private async _askForUrls(): Promise<void> {
    const wanted = this._wanted.splice(0);
    const parts = wanted.map((each) => each.part);
    // With digests no more than those: the others would have to be read now.
    const more = this._digests ? [] : this._pending.slice(0, BATCH - parts.length);
    for (const number of more) if (!this._urls.has(number)) parts.push({ number });
    try {
      const answer = await this._post<{ parts: Signed[] }>("sign", { parts });
      const now = performance.now();
      answer.parts.forEach((signed) => this._urls.set(signed.number, [signed, now]));
      for (const { part, resolve } of wanted) {
        resolve(this._urls.get(part.number)![0]);
        this._urls.delete(part.number);
      }
    } catch (error) {
      wanted.forEach(({ reject }) => reject(error));
    }
  }

  private _post<Answer>(action: string, body: object = {}): Promise<Answer> {
    const token = action === "begin" ? {} : { token: this._begun.token };
    // Who cancels while an upload begins has to learn its token, to cancel it on the server too.
    const signal = ["begin", "cancel"].includes(action) ? undefined : this._ended.signal;
    return ask(this._options, action, { ...token, ...body }, signal);
  }

  /**
   * Do something until it succeeds, with longer and longer waits; not while the upload is paused.
   * `failed` may throw, and says whether the count of failures starts anew; 0 is a pause.
   */
  private async _persist<Result>(
    action: () => Promise<Result>,
    failed?: (failures: number, error: UploadError) => Promise<boolean>,
  ): Promise<Result> {
    const { retries = 8 } = this._options;
    for (let failures = 0; ;) {
      await this._unpaused();
      try {
        return await action();
      } catch (error) {
        this._ended.signal.throwIfAborted();
        if (!(error instanceof UploadError)) throw error;
        if (this.state === "paused") {
          await failed?.(0, error);
          continue;
        }
        failures++;
        // A bucket says 403 to a URL that expired, and 400 to a client that was too slow.
        const passes = error.passes || (error.code === "bucket" && failures <= SUSPICIOUS);
        if (!passes || failures > retries) throw error;
        if (await failed?.(failures, error)) failures = 1;
        await this._backOff(failures, error);
      }
    }
  }

  private async _backOff(failures: number, error: UploadError): Promise<void> {
    if (error.code === "network") this._enter("waiting");
    const most = Math.min(LONGEST_WAIT, 500 * 2 ** failures);
    const wait = error.retryAfter || most * (0.5 + Math.random() / 2);
    await new Promise<void>((resolve) => {
      this._wake.push(resolve);
      // Without any connection only its return ends the wait.
      if (navigator.onLine) setTimeout(resolve, wait);
    });
    this._ended.signal.throwIfAborted();
  }

  private async _unpaused(): Promise<void> {
    while (this.state === "paused") {
      await new Promise<void>((resolve) => this._wake.push(resolve));
    }
    this._ended.signal.throwIfAborted();
  }

  private _enter(state: UploadState): void {
    if (state === this.state || this.state === "cancelled") return;
    // A part that was lost just before a pause must not undo it.
    if (this.state === "paused" && state === "waiting") return;
    this.state = state;
    this._options.onState?.(state);
  }
}

function isGone(error: unknown): boolean {
  return (
    error instanceof UploadError && (error.code === "gone" || [404, 410].includes(error.status))
  );
}
