/**
 * What the page says. The texts themselves come from Django, smart_storages/uploads/texts.py, in the
 * language of the user.
 */
export type Text =
  | "drop"
  | "dropSeveral"
  | "limit"
  | "queued"
  | "preparing"
  | "amount"
  | "left"
  | "waiting"
  | "paused"
  | "finishing"
  | "done"
  | "pause"
  | "resume"
  | "retry"
  | "cancel"
  | "remove"
  | "discard"
  | "started"
  | "uploaded"
  | "cancelled"
  | "removed"
  | "interrupted"
  | "empty"
  | "tooLarge"
  | "wrongType"
  | "onlyOne"
  | "unreadable"
  | "network"
  | "server"
  | "submitLater"
  | "submitFailed";

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** Texts, numbers and times of one language. */
export class Language {
  constructor(
    private readonly _texts: Partial<Record<Text, string>>,
    private readonly _code: string | undefined,
  ) {}

  say(text: Text, values: Record<string, string> = {}): string {
    const pattern = this._texts[text] || text;
    return pattern.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
  }

  private _number(value: number, options: Intl.NumberFormatOptions): string {
    const all: Intl.NumberFormatOptions = { maximumFractionDigits: value < 10 ? 1 : 0, ...options };
    let format: Intl.NumberFormat;
    try {
      format = new Intl.NumberFormat(this._code, all);
    } catch {
      // What the page names is not a language.
      format = new Intl.NumberFormat(undefined, all);
    }
    // A number stays on the line of its unit.
    return format.format(value).replace(/ /g, "\xa0");
  }

  /** Bytes as Django's `filesizeformat` counts them, in steps of 1,024. */
  size(bytes: number, per = ""): string {
    let step = 0;
    for (; bytes >= 1000 && step < SIZES.length - 1; step++) bytes /= 1024;
    return this._number(bytes, { style: "unit", unit: SIZES[step] + per });
  }

  time(seconds: number): string {
    const [value, unit] =
      seconds < 60
        ? [Math.max(1, seconds < 10 ? Math.ceil(seconds) : Math.ceil(seconds / 5) * 5), "second"]
        : seconds < 5400
          ? [Math.ceil(seconds / 60), "minute"]
          : [seconds / 3600, "hour"];
    return this._number(value as number, { style: "unit", unit, unitDisplay: "long" } as object);
  }

  percent(share: number): string {
    return this._number(share, { style: "percent", maximumFractionDigits: 0 });
  }
}
