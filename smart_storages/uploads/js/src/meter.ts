import type { UploadProgress } from "./types";

/** Milliseconds over which a rate is measured. */
const WINDOW = 5000;
/** Milliseconds between two reports. */
const EVERY = 200;

/** Counts what of a file has been sent, and how fast. */
export class Meter {
  private readonly _parts = new Map<number, number>();
  private _samples: [at: number, loaded: number][] = [];
  private _reported = 0;

  constructor(
    private readonly _total: number,
    private readonly _report: (progress: UploadProgress) => void,
  ) {}

  /** So many bytes of a part are sent; 0 when it starts again. */
  set(part: number, bytes: number): void {
    this._parts.set(part, bytes);
    const now = performance.now();
    if (now - this._reported >= EVERY) this.tell(now);
  }

  /** A rate that was measured before a pause says nothing about the time after it. */
  restart(): void {
    this._samples = [];
    this.tell();
  }

  tell(now = performance.now()): void {
    let loaded = 0;
    this._parts.forEach((bytes) => (loaded += bytes));
    this._reported = now;
    this._samples.push([now, loaded]);
    while (this._samples.length > 2 && now - this._samples[0]![0] > WINDOW) this._samples.shift();
    const [since, before] = this._samples[0]!;
    const rate = now > since ? Math.max(0, ((loaded - before) / (now - since)) * 1000) : 0;
    const secondsLeft = rate ? (this._total - loaded) / rate : null;
    this._report({ loaded, total: this._total, rate, secondsLeft });
  }
}
