// What scripts say, in the language of the page. English stands in the sources; for another language the page names a file of
// texts, and no module that says anything runs before it is there. Where it cannot be had, English is better than nothing.

const { lang, dataset } = document.documentElement;

/** @type {Record<string, string | Record<string, string>>} */
const texts = dataset.texts ? await fetch(dataset.texts).then((answer) => answer.json()).catch(() => ({})) : {};

const forms = new Intl.PluralRules(lang);

/** @param {string} text @param {Record<string, string>} given what stands for each `%(name)s` */
export function _(text, given = {}) {
  const said = texts[text];
  return filled(typeof said === "string" ? said : text, given);
}

/**
 * A text that depends on a number, in the form that the language has for it. `%(num)s` is that number.
 * @param {string} one @param {string} other @param {number} number @param {Record<string, string>} given
 */
export function ngettext(one, other, number, given = {}) {
  const said = texts[one];
  const form = typeof said === "object" ? said[forms.select(number)] : number === 1 ? one : other;
  return filled(form ?? other, { num: decimal(number), ...given });
}

/** A number with its digits grouped. @param {number} number */
export function decimal(number) {
  return number.toLocaleString(lang);
}

/** A text with its placeholders filled. @param {string} text @param {Record<string, string>} given */
export function filled(text, given) {
  return text.replaceAll(/%\((\w+)\)s/g, (placeholder, name) => given[name] ?? placeholder);
}
