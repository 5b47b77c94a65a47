import { watch } from "./attaching";

export { attach } from "./attaching";
export { UploadError } from "./errors";
export { smartUpload } from "./start";
export type { Upload, UploadOptions, UploadProgress, UploadResult, UploadState } from "./types";

// Browsers without these keep the plain file input, which uploads through Django.
const { prototype } = HTMLFormElement;
if ("requestSubmit" in prototype && "throwIfAborted" in AbortSignal.prototype) watch();
