// Somebody who was signed out or deleted elsewhere still has the page open: no call and no stream comes back to it.

import { _ } from "./text.js";

/** What is said there, and the way in. @returns {(string | Node)[]} */
export function signedOut() {
  const link = document.createElement("a");
  link.href = "/join";
  link.textContent = _("Come in again");
  return [_("You are signed out here."), " ", link];
}
