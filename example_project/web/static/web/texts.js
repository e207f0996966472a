/* The page's texts, which the server has translated. */

const TEXTS = JSON.parse(document.getElementById("texts").textContent);

export function say(key, values = {}) {
  const text = TEXTS[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Sets a text only when it changed: a live region repeats itself otherwise. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
