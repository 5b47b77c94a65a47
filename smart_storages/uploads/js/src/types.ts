/** How far an upload is. */
export interface UploadProgress {
  /** Bytes that are in the bucket or on their way. */
  loaded: number;
  /** Bytes of the file. */
  total: number;
  /** Bytes a second, over the last seconds; 0 while nothing is sent. */
  rate: number;
  /** Seconds that the rest takes at this rate; null while the rate is unknown. */
  secondsLeft: number | null;
}

/**
 * What an upload is doing: `preparing` asks the server where to send the file, or compares what
 * has arrived before; `waiting` stands for a lost connection that is tried again.
 */
export type UploadState =
  "preparing" | "uploading" | "waiting" | "paused" | "finishing" | "done" | "failed" | "cancelled";

/** Options of `smartUpload`. */
export interface UploadOptions {
  /** Where the URLs of smart_storages.uploads are included, as `/uploads/`. */
  endpoint: string;
  /** The signed reference of the field: the attribute `data-field` of Django's widget. */
  field: string;
  /** Called at most five times a second, and at the end. */
  onProgress?: (progress: UploadProgress) => void;
  /** Called on each change of the state. */
  onState?: (state: UploadState) => void;
  /** Aborting it cancels the upload, as `cancel()` does. */
  signal?: AbortSignal;
  /** Parts that are sent at the same time; 4. No more of the file than these is in memory. */
  parallel?: number;
  /** How often a request is sent again before the upload fails; 8. */
  retries?: number;
  /** Whether an upload that was interrupted, by a reload too, is continued; true. */
  resume?: boolean;
  /** Django's CSRF token; from the page's form or the cookie `csrftoken` if left out. */
  csrfToken?: string;
  /** More headers for the requests to Django, as `Authorization`. */
  headers?: Record<string, string>;
}

/** What arrived. */
export interface UploadResult {
  /** Goes into the form: proves to the server that this file was uploaded for this field. */
  token: string;
  /** The name of the file, as the server cleaned it. */
  name: string;
  /** Bytes. */
  size: number;
}

/** An upload under way: a promise of its result that can be paused and cancelled. */
export interface Upload extends Promise<UploadResult> {
  readonly state: UploadState;
  /** Stop sending; what has arrived stays. */
  pause(): void;
  /** Go on after `pause()`, or at once after a lost connection. */
  resume(): void;
  /** Stop, and have what has arrived deleted. The promise is rejected with code `cancelled`. */
  cancel(): void;
}
