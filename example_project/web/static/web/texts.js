/* The page's texts, which the server has translated, and how times are said. */

const TEXTS = JSON.parse(document.getElementById("texts").textContent);
const LANGUAGE = document.documentElement.lang || "en";
const RELATIVE = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const ABSOLUTE = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

export function say(key, values = {}) {
  const text = TEXTS[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Sets a text only when it changed: a live region repeats itself otherwise. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function ago(time) {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  const unit = UNITS.find(([, length]) => Math.abs(seconds) >= length);
  return unit ? RELATIVE.format(Math.round(seconds / unit[1]), unit[0]) : say("justNow");
}

export function exact(time) {
  return ABSOLUTE.format(new Date(time));
}
