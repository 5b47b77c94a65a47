import { UploadError } from "./errors";

const SAMPLED = 65536;

/** Whether this page can compute digests: only secure contexts have SubtleCrypto. */
export const canDigest = !!globalThis.crypto?.subtle;

/** Read a blob; of a file that has changed, Firefox gives what is left. */
export async function read(blob: Blob): Promise<ArrayBuffer> {
  const content = await blob.arrayBuffer();
  if (content.byteLength !== blob.size) throw new UploadError("unreadable");
  return content;
}

/** The SHA-256 of a blob in base64. */
export async function digest(blob: Blob): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", await read(blob));
  return btoa(String.fromCharCode(...new Uint8Array(hash)));
}

/** A digest of the beginning, the middle and the end: the whole would take long. */
export async function sample(file: Blob): Promise<string> {
  if (!canDigest) return "";
  const starts = [0, file.size / 2, file.size - SAMPLED].map((at) => Math.max(0, Math.floor(at)));
  return digest(new Blob(starts.map((at) => file.slice(at, at + SAMPLED))));
}
