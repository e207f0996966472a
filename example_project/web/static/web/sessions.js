/* The list of devices: renders it, renames one, ends one. */

import { ago, exact, put, say } from "./texts.js";

const ENDED_SHOWN = 3000;
const UNSETTLED = 500; // after rows moved up, a click may have been aimed at another one

export class SessionList {
  #items = new Map(); // session id → list item: a poll must not take the focus away
  #sessions = [];
  #movedAt = -Infinity;

  /** `rename(session, name)` and `end(session)` do it, and return an error text or nothing. */
  constructor(list, { count, error, rename, end }) {
    this.list = list;
    this.count = count;
    this.error = error;
    this.rename = rename;
    this.end = end;
    this.template = document.getElementById("session");
  }

  clear() {
    this.#items.clear();
    this.list.replaceChildren();
    put(this.error, "");
  }

  show(sessions) {
    const present = new Set(sessions.map((session) => session.id));
    for (const id of this.#items.keys()) if (!present.has(id)) this.#ended(id);
    // A list that was asked for before a session ended may still hold it.
    this.#sessions = sessions.filter(({ id }) => !this.#items.get(id)?.classList.contains("ended"));
    this.#sessions.sort((a, b) => (a.last_used_at < b.last_used_at ? 1 : -1));
    for (const session of this.#sessions) {
      // A row stays where it is, and a new one comes last: none slips under the pointer.
      if (!this.#items.has(session.id)) {
        const item = this.#make(session.id);
        this.#items.set(session.id, item);
        if (session.current) this.list.prepend(item);
        else this.list.append(item);
      }
      this.#fill(this.#items.get(session.id), session);
    }
    const count = this.#sessions.length;
    put(this.count, count === 1 ? say("sessionCountOne") : say("sessionCount", { count }));
  }

  tick() {
    for (const session of this.#sessions) {
      const item = this.#items.get(session.id);
      if (item) this.#fill(item, session);
    }
  }

  /** Greys the row out in place, and takes it away when a second click can no longer hit. */
  #ended(id) {
    const item = this.#items.get(id);
    if (!item || item.classList.contains("ended")) return;
    item.classList.add("ended");
    item.classList.remove("renaming");
    item.querySelector("[data-ended]").hidden = false;
    for (const button of item.querySelectorAll(".session-actions button")) {
      button.setAttribute("aria-disabled", "true"); // not `disabled`: that would drop the focus
    }
    const form = item.querySelector("form");
    if (form.contains(document.activeElement)) this.#focusHeading();
    form.hidden = true;
    setTimeout(() => {
      if (this.#items.get(id) !== item) return;
      // Focus that was in the vanished row goes to the list's heading, not to nowhere.
      if (item.contains(document.activeElement)) this.#focusHeading();
      item.remove();
      this.#items.delete(id);
      this.#movedAt = performance.now();
    }, ENDED_SHOWN);
  }

  #focusHeading() {
    const heading = document.getElementById(
      this.list.closest("section").getAttribute("aria-labelledby"),
    );
    heading.tabIndex = -1;
    heading.focus();
  }

  #fill(item, session) {
    const name = session.name || say("unnamed");
    put(item.querySelector("[data-name]"), name);
    item.querySelector("[data-current]").hidden = !session.current;
    item.querySelector("use").setAttribute("href", `#${icon(session.user_agent)}`);
    put(item.querySelector("[data-address]"), session.ip_address ?? "");
    this.#time(item.querySelector("[data-signed-in]"), "signedIn", session.created_at);
    this.#time(item.querySelector("[data-last-used]"), "lastUsed", session.last_used_at);
    item.classList.toggle("current", session.current);
    item.title = session.user_agent;
    const button = (action) => item.querySelector(`[data-action="${action}"]`);
    button("rename").setAttribute("aria-label", say("renameOf", { name }));
    button("end").setAttribute("aria-label", say("endOf", { name }));
  }

  #time(element, key, time) {
    if (!time) return;
    put(element, say(key, { when: ago(time) }));
    element.title = exact(time);
  }

  #make(id) {
    const item = this.template.content.firstElementChild.cloneNode(true);
    const session = () => this.#sessions.find((one) => one.id === id);
    const form = item.querySelector("form");
    const open = (yes) => {
      form.hidden = !yes;
      item.classList.toggle("renaming", yes);
      if (!yes) return item.querySelector('[data-action="rename"]').focus();
      form.elements.name.value = session().name;
      form.elements.name.select();
    };
    item.addEventListener("click", async ({ target, detail }) => {
      const button = target.closest("[data-action]");
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      const { action } = button.dataset;
      if (action === "rename") open(true);
      if (action === "cancel") open(false);
      if (action === "end") {
        const pointed = detail > 0;
        if (pointed && performance.now() - this.#movedAt < UNSETTLED) return;
        button.setAttribute("aria-disabled", "true");
        const error = await this.end(session());
        put(this.error, error ?? "");
        if (!error) this.#ended(id);
        else if (!item.classList.contains("ended")) button.removeAttribute("aria-disabled");
      }
    });
    item.addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && !form.hidden) open(false);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const error = await this.rename(session(), form.elements.name.value.trim());
      put(this.error, error ?? "");
      form.elements.name.setAttribute("aria-invalid", String(Boolean(error)));
      if (!error) open(false);
    });
    return item;
  }
}

function icon(userAgent = "") {
  if (/Mobi|Android|iPhone/i.test(userAgent)) return "phone";
  return /Mozilla/i.test(userAgent) ? "laptop" : "terminal";
}
