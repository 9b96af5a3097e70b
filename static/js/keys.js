// Single keys. A page adds its own with `onKey`; nothing fires while something is being typed.

/** @type {Map<string, () => void>} */
const actions = new Map();

/** @param {string} key @param {() => void} action */
export function onKey(key, action) {
  actions.set(key, action);
}

/** @param {EventTarget | null} target */
function typing(target) {
  return target instanceof Element && target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
}

export function keys() {
  const sheet = /** @type {HTMLDialogElement} */ (document.getElementById("keys"));
  for (const opener of document.querySelectorAll("[data-open]")) opener.addEventListener("click", () => sheet.showModal());
  onKey("?", () => sheet.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || sheet.open) return;
    if (event.key === "Escape") {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      actions.get("Escape")?.();
      return;
    }
    if (typing(event.target)) return;
    const action = actions.get(event.key);
    if (action) {
      event.preventDefault();
      action();
    }
  });
}
