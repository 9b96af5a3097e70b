// A call of this page that sleeps: when others have called, the dock says whether it still does.

import { task } from "./api.js";
import { one } from "./dom.js";
import { _ } from "./text.js";

/** @type {{seq: number, task: string, pfn: number | undefined} | null} */
let sleeping = null;

/** @param {{seq: number, verdict: string, args: {task?: string}, page?: {pfn: number} | null}} outcome of a call that was made here */
export function made({ seq, verdict, args, page }) {
  sleeping = verdict === "blocked" && args.task ? { seq, task: args.task, pfn: page?.pfn } : null;
  one(document, "#console-answer", HTMLElement).classList.remove("woken");
}

/** @param {string} api */
export async function look(api) {
  const asked = sleeping;
  if (!asked) return;
  const now = await task(api, asked.task);
  if (asked !== sleeping || now?.since === asked.seq) return;
  sleeping = null;
  const answer = one(document, "#console-answer", HTMLElement);
  answer.classList.add("woken");
  answer.classList.remove("refused");
  answer.textContent = words(asked, now);
}

/** @param {{seq: number, task: string, pfn: number | undefined}} asked @param {{holds: number[]} | null} now */
function words({ seq, task: name, pfn }, now) {
  const given = { seq: String(seq), task: name };
  if (!now) return _("%(task)s sleeps no longer (#%(seq)s): it is gone", given);
  if (pfn === undefined || !now.holds.includes(pfn)) return _("%(task)s sleeps no longer (#%(seq)s)", given);
  return _("%(task)s is awake (#%(seq)s): it holds the lock of %(pfn)s", { ...given, pfn: `0x${pfn.toString(16).padStart(5, "0")}` });
}
