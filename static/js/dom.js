// Elements by selector, as what they are. A page that lacks what a module stands on fails there, by name, not later.

/**
 * @template {Element} T
 * @param {ParentNode} root @param {string} selector @param {new () => T} kind
 * @returns {T | null}
 */
export function maybe(root, selector, kind) {
  const found = root.querySelector(selector);
  return found instanceof kind ? found : null;
}

/**
 * @template {Element} T
 * @param {ParentNode} root @param {string} selector @param {new () => T} kind
 * @returns {T}
 */
export function one(root, selector, kind) {
  const found = maybe(root, selector, kind);
  if (!found) throw new Error(`no ${kind.name} at ${selector}`);
  return found;
}

/**
 * @template {Element} T
 * @param {ParentNode} root @param {string} selector @param {new () => T} kind
 * @returns {T[]}
 */
export function all(root, selector, kind) {
  return [...root.querySelectorAll(selector)].filter((found) => found instanceof kind).map((found) => /** @type {T} */ (found));
}
