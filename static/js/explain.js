// [ and ] step through the calls of a session, Esc leads back to its machine.

import { maybe } from "./dom.js";
import { onKey } from "./keys.js";

/** @param {string} selector */
const follow = (selector) => () => maybe(document, selector, HTMLElement)?.click();

onKey("[", follow("a[rel=prev]"));
onKey("]", follow("a[rel=next]"));
onKey("Escape", follow("a[data-back]"));
