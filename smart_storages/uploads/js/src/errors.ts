/** Milliseconds that an upload waits because the server asks for it. */
const LONGEST = 60_000;

/**
 * Why an upload failed. `code` is the server's (`too_large`, `wrong_type`, ...), or one of
 * `network`, `server`, `bucket`, `unreadable`, `cancelled`.
 */
export class UploadError extends Error {
  constructor(
    readonly code: string,
    message = "",
    /** The HTTP status; 0 without an answer. */
    readonly status = 0,
    /** Milliseconds that the server asked to wait. */
    readonly retryAfter = 0,
    /** Numbers of the parts that the server has not got. */
    readonly missing: number[] = [],
  ) {
    super(message || code);
    this.name = "UploadError";
  }

  /** Whether the same request may succeed soon. */
  get passes(): boolean {
    // Nobody waits before a page until the next hour.
    if (this.retryAfter > LONGEST) return false;
    // Without a status there was no answer, or a page of a proxy.
    if (!this.status) return ["network", "server"].includes(this.code);
    return [408, 429].includes(this.status) || this.status >= 500;
  }
}

/**
 * Milliseconds of a `Retry-After`, which is in seconds or a date.
 * @internal
 */
export function retryAfter(header: string | null | undefined): number {
  if (!header) return 0;
  const seconds = Number(header);
  const wait = isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Math.max(0, wait) || 0;
}
