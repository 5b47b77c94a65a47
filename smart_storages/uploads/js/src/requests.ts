import { UploadError, retryAfter } from "./errors";
import type { UploadOptions } from "./types";

/** A part's request as the server signed it. */
export interface Signed {
  number: number;
  url: string;
  method: string;
  headers: Record<string, string>;
}

/** A part that is in the bucket. */
export interface Present {
  number: number;
  size: number;
  sha256: string | null;
}

/** Milliseconds without a byte sent after which a connection counts as lost. */
const STALLED = 60_000;

// Only the browser may set these; to try writes an error to the console.
const FORBIDDEN = /^(host|content-length)$/i;

function csrfToken(): string {
  const input = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
  return input?.value || /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] || "";
}

/** Ask Django; the answer's JSON, or `UploadError`. */
export async function ask<Answer>(
  options: UploadOptions,
  action: string,
  body: object,
  signal?: AbortSignal,
): Promise<Answer> {
  let response: Response;
  let answer: any;
  try {
    response = await fetch(options.endpoint.replace(/\/?$/, "/") + action, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json",
        "X-CSRFToken": options.csrfToken || csrfToken(),
        ...options.headers,
      },
      credentials: "same-origin",
      body: JSON.stringify(body),
      signal,
    });
    const text = await response.text();
    answer = text ? JSON.parse(text) : {};
  } catch (error) {
    if (signal?.aborted) throw error;
    // No answer, or a page of a proxy in between.
    if (!response!) throw new UploadError("network");
    answer = {};
    if (response.ok) throw new UploadError("server");
  }
  if (response.ok) return answer;
  const { code, message } = answer.error ?? {};
  throw new UploadError(
    code || "server",
    message,
    response.status,
    retryAfter(response.headers.get("Retry-After")),
    answer.missing,
  );
}

/**
 * Send a part to the bucket. XMLHttpRequest and not fetch, which tells nothing of what is sent.
 */
export function send(
  signed: Signed,
  body: Blob,
  onLoaded: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer: number;
    const abort = (): void => request.abort();
    const lost = (): void => {
      clearTimeout(timer);
      timer = window.setTimeout(abort, STALLED);
    };
    request.open(signed.method, signed.url);
    for (const [name, value] of Object.entries(signed.headers)) {
      if (!FORBIDDEN.test(name)) request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => {
      lost();
      onLoaded(event.loaded);
    };
    request.onloadend = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      const status = request.status;
      if (status >= 200 && status < 300) return resolve();
      // A bucket may leave CORS headers out of errors, which look like a lost connection then.
      // To ask for a header that they do not expose writes an error to the console.
      const wait = /^retry-after: *(.*?)\r?$/im.exec(request.getAllResponseHeaders())?.[1];
      reject(new UploadError(status ? "bucket" : "network", "", status, retryAfter(wait)));
    };
    signal.addEventListener("abort", abort);
    if (signal.aborted) {
      reject(new UploadError("cancelled"));
      return;
    }
    lost();
    request.send(body);
  });
}
