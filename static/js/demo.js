// A step of a guided demo in place: its form goes where it would go without script, and the page that it leads to is shown.

import { Refused } from "./api.js";

/**
 * Run a step. The address of the page that shows what it did; null where it was refused, and nothing happened.
 * @param {HTMLFormElement} form @param {HTMLElement | null} submitter
 */
export async function runStep(form, submitter) {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form, submitter)) body.append(name, String(value));
  const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
  // Without an answer of the server's there is no page that says why.
  if (response.status >= 500) throw new Refused({ status: response.status, detail: response.statusText });
  return response.redirected ? response.url : null;
}
