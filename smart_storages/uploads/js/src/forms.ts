import type { Widget } from "./widget";

/** A form, and the button that was pressed while uploads were under way. */
interface Waiting {
  widgets: Set<Widget>;
  submitter?: HTMLElement | null;
}

const forms = new WeakMap<HTMLFormElement, Waiting>();

/** A form with uploads under way is sent when they are done. */
export function guard(widget: Widget): void {
  const form = widget.input.form;
  if (!form) return;
  let waiting = forms.get(form);
  if (!waiting) {
    waiting = { widgets: new Set() };
    forms.set(form, waiting);
    form.addEventListener("submit", (event) => submitted(form, event), true);
    form.addEventListener("reset", () => forms.get(form)!.widgets.forEach((each) => each.clear()));
  }
  waiting.widgets.add(widget);
}

function present(form: HTMLFormElement): Widget[] {
  // Rows of a formset come and go.
  return [...forms.get(form)!.widgets].filter((widget) => widget.root.isConnected);
}

function submitted(form: HTMLFormElement, event: SubmitEvent): void {
  const widgets = present(form);
  const failed = widgets.filter((widget) => widget.failed);
  const active = widgets.filter((widget) => widget.active);
  if (!failed.length && !active.length) return;
  event.preventDefault();
  // Scripts that send the form themselves must not see this either.
  event.stopImmediatePropagation();
  if (failed.length) {
    failed.forEach((widget) => widget.note("submitFailed"));
    failed[0]!.failed!.focus();
    return;
  }
  forms.get(form)!.submitter = event.submitter;
  active.forEach((widget) => {
    widget.note("submitLater");
    widget.resume();
  });
}

/** Something happened to an upload: perhaps its form can be sent now. */
export function settle(widget: Widget): void {
  const form = widget.input.form;
  const waiting = form && forms.get(form);
  if (!waiting || waiting.submitter === undefined) return;
  const widgets = present(form);
  if (widgets.some((each) => each.failed)) {
    delete waiting.submitter;
    widgets.forEach((each) => each.note(each.failed ? "submitFailed" : ""));
  } else if (!widgets.some((each) => each.active)) {
    const { submitter } = waiting;
    delete waiting.submitter;
    widgets.forEach((each) => each.note(""));
    form.requestSubmit(submitter?.isConnected ? submitter : null);
  }
}
