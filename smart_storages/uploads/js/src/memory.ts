import { sample } from "./digests";

/** What the server answered at the beginning of an upload. */
export interface Begun {
  token: string;
  partSize: number;
  parts: number;
  expires: number;
  sha256: boolean;
}

/** An upload that was begun, as the browser keeps it. */
export interface Remembered extends Begun {
  name: string;
  /** When the token expires: milliseconds of `Date.now()`. */
  until: number;
  /** A digest of some of the file; empty where the browser computes none. */
  sample: string;
}

const PREFIX = "smart-upload ";

/** The key of everything that is remembered for a field. */
export function fieldKey(endpoint: string, field: string): string {
  return `${PREFIX}${endpoint} ${field} `;
}

/** The key of one file: another of the same name differs in size or time. */
export function fileKey(endpoint: string, field: string, file: File): string {
  return `${fieldKey(endpoint, field)}${file.name} ${file.size} ${file.lastModified}`;
}

// The storage may be full, or forbidden: then uploads are not resumed after a reload.
function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

export function forget(key: string): void {
  attempt(() => localStorage.removeItem(key));
}

function read(key: string): Remembered | undefined {
  const found: Remembered | undefined = attempt(() => JSON.parse(localStorage.getItem(key)!));
  if (found && !(found.until > Date.now())) {
    forget(key);
    return undefined;
  }
  return found || undefined;
}

export async function remember(key: string, begun: Begun, file: File): Promise<void> {
  const until = Date.now() + begun.expires * 1000;
  const kept: Remembered = { ...begun, name: file.name, until, sample: await sample(file) };
  attempt(() => localStorage.setItem(key, JSON.stringify(kept)));
}

/** What is remembered of this very file; a changed one is forgotten. */
export async function recall(key: string, file: File): Promise<Remembered | undefined> {
  const found = read(key);
  if (found && found.sample !== (await sample(file))) return undefined;
  return found;
}

const held = new Set<string>();

/**
 * Uploads of a field that were interrupted: pairs of their keys and what is remembered. Those that
 * run, in another tab perhaps, were not.
 */
export async function interrupted(
  endpoint: string,
  field: string,
): Promise<[string, Remembered][]> {
  const prefix = fieldKey(endpoint, field);
  const locks = await navigator.locks?.query().catch(() => null);
  const running = new Set(locks?.held?.map(({ name }) => name));
  const keys = attempt(() => Object.keys(localStorage)) || [];
  return keys
    .filter((key) => key.startsWith(prefix) && !held.has(key) && !running.has(key))
    .map((key): [string, Remembered | undefined] => [key, read(key)])
    .filter((pair): pair is [string, Remembered] => !!pair[1]);
}

/**
 * Hold `key` for this upload until the function that comes back is called; null when another one,
 * in another tab perhaps, holds it: two uploads of a file must not share a token.
 */
export async function hold(key: string): Promise<(() => void) | null> {
  if (held.has(key)) return null;
  held.add(key);
  const letGo = (): boolean => held.delete(key);
  // Only secure contexts have locks.
  if (!navigator.locks) return letGo;
  return new Promise((resolve) => {
    const callback = (lock: Lock | null): Promise<void> | void => {
      if (lock) return new Promise((end) => resolve(() => (letGo(), end())));
      letGo();
      resolve(null);
    };
    navigator.locks.request(key, { ifAvailable: true }, callback).catch(() => resolve(letGo));
  });
}
