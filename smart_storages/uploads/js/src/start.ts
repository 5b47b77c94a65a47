import { Transfer } from "./upload";
import type { Upload, UploadOptions } from "./types";

/**
 * Upload a file; the promise's `token` goes into the form.
 *
 *     const upload = smartUpload(file, { endpoint: "/uploads/", field, onProgress });
 *     pauseButton.onclick = () => upload.pause();
 *     const { token } = await upload;
 *
 * Rejected with `UploadError`. It can be cancelled afterwards too, until the form is sent.
 */
export function smartUpload(file: File, options: UploadOptions): Upload {
  const transfer = new Transfer(file, options);
  return Object.defineProperties(transfer.run(), {
    state: { get: () => transfer.state },
    pause: { value: () => transfer.pause() },
    resume: { value: () => transfer.resume() },
    cancel: { value: () => transfer.cancel() },
  }) as Upload;
}
