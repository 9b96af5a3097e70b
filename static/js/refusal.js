// Refused requests happened nowhere: it is said where they were made, and at the fields that are at fault.

import { Refused } from "./api.js";
import { linked, mark } from "./callform.js";
import { maybe, one } from "./dom.js";
import { signedOut } from "./entrance.js";
import { instead } from "./instead.js";
import { _ } from "./text.js";

/** Whether what was refused last was so because the task slept. */
let asleep = false;

/** Others have called, and may have woken it: that it sleeps is not said any longer. */
export function called() {
  if (!asleep) return;
  asleep = false;
  const answer = one(document, "#console-answer", HTMLElement);
  answer.classList.remove("refused");
  answer.replaceChildren();
  maybe(document, "#call-refused", HTMLElement)?.replaceChildren();
}

/** What was at fault, field by field where that is known. @param {unknown} error */
function faults(error) {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Refused)) {
    return [{ field: "", words: _("The journal will show whether the call was made. (%(message)s)", { message }), word: "", suggestions: [] }];
  }
  return error.faults.length ? error.faults : [{ field: "", words: message, word: "", suggestions: [] }];
}

/** What did not happen, and why not in a word. @param {unknown} error */
function titled(error) {
  if (error instanceof Refused && error.asleep) return _("The task sleeps: nothing happened");
  if (error instanceof Refused && error.held) return _("The machine takes no calls now: nothing happened");
  if (!(error instanceof Refused) || error.failed) return _("No answer from the server");
  if (error.gone) return _("This machine is not there any more: nothing happened");
  if (error.unable) return _("The server can make no call now: nothing happened");
  return _("Not sent to the kernel");
}

/** @param {unknown} error @param {HTMLFormElement} form */
export function refused(error, form) {
  const answer = one(document, "#console-answer", HTMLElement);
  answer.classList.add("refused");
  asleep = error instanceof Refused && Boolean(error.asleep);
  if (error instanceof Refused && error.out) {
    answer.replaceChildren(...signedOut());
    maybe(document, "#call-refused", HTMLElement)?.replaceChildren(...signedOut());
    return;
  }
  const known = faults(error);
  const title = titled(error);
  const words = known.map((fault) => (fault.field ? `${fault.field}: ${fault.words}` : fault.words)).join("; ");
  const line = maybe(form, "#line", HTMLInputElement);
  answer.replaceChildren(`${title}. `, ...(form.closest("#call") ? [] : linked(words)), ...known.flatMap((fault) => instead(fault, line)));
  const box = maybe(document, "#call-refused", HTMLElement);
  if (!form.closest("#call") || !box) return;
  const alert = document.createElement("div");
  alert.className = "refusal";
  alert.setAttribute("role", "alert");
  const heading = document.createElement("h2");
  heading.textContent = title;
  const list = document.createElement("ul");
  for (const fault of known) {
    const item = document.createElement("li");
    item.append(...(fault.field ? [`${fault.field}: `] : []), ...linked(fault.words), ...instead(fault, maybe(form, `[name="${CSS.escape(fault.field)}"]`, HTMLInputElement)));
    list.append(item);
  }
  alert.append(heading, list);
  box.replaceChildren(alert);
  mark(form, known);
}
