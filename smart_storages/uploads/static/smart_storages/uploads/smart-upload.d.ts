/* smart_storages.uploads; "make js" built it from sources c10aa5b023e7d3c8 */
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
export type UploadState = "preparing" | "uploading" | "waiting" | "paused" | "finishing" | "done" | "failed" | "cancelled";
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
/**
 * Why an upload failed. `code` is the server's (`too_large`, `wrong_type`, ...), or one of
 * `network`, `server`, `bucket`, `unreadable`, `cancelled`.
 */
export declare class UploadError extends Error {
    readonly code: string;
    /** The HTTP status; 0 without an answer. */
    readonly status: number;
    /** Milliseconds that the server asked to wait. */
    readonly retryAfter: number;
    /** Numbers of the parts that the server has not got. */
    readonly missing: number[];
    constructor(code: string, message?: string, 
    /** The HTTP status; 0 without an answer. */
    status?: number, 
    /** Milliseconds that the server asked to wait. */
    retryAfter?: number, 
    /** Numbers of the parts that the server has not got. */
    missing?: number[]);
    /** Whether the same request may succeed soon. */
    get passes(): boolean;
}
/**
 * Upload a file; the promise's `token` goes into the form.
 *
 *     const upload = smartUpload(file, { endpoint: "/uploads/", field, onProgress });
 *     pauseButton.onclick = () => upload.pause();
 *     const { token } = await upload;
 *
 * Rejected with `UploadError`. It can be cancelled afterwards too, until the form is sent.
 */
export declare function smartUpload(file: File, options: UploadOptions): Upload;
/**
 * Let the file inputs inside `data-smart-upload` upload what is chosen. Called for the page and
 * for what is added to it later; a second time does nothing.
 */
export declare function attach(root?: ParentNode): void;
