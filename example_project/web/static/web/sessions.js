/* The list of devices: renders it, renames one, ends one. */

import { ago, exact, put, say } from "./texts.js";

export class SessionList {
  #items = new Map(); // session id → list item: a poll must not take the focus away
  #sessions = [];

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
    this.#sessions = [...sessions].sort(
      (a, b) => b.current - a.current || (a.last_used_at < b.last_used_at ? 1 : -1),
    );
    const present = new Set(sessions.map((session) => session.id));
    for (const [id, item] of this.#items) {
      if (present.has(id)) continue;
      // Focus that was in the vanished row goes to the list's heading, not to nowhere.
      if (item.contains(document.activeElement)) this.#focusHeading();
      item.remove();
      this.#items.delete(id);
    }
    this.#sessions.forEach((session, index) => {
      if (!this.#items.has(session.id)) this.#items.set(session.id, this.#make(session.id));
      const item = this.#items.get(session.id);
      this.#fill(item, session);
      if (this.list.children[index] !== item) {
        this.list.insertBefore(item, this.list.children[index] ?? null);
      }
    });
    const many = sessions.length !== 1;
    put(this.count, many ? say("sessionCount", { count: sessions.length }) : say("sessionCountOne"));
  }

  tick() {
    for (const session of this.#sessions) {
      const item = this.#items.get(session.id);
      if (item) this.#fill(item, session);
    }
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
    button("end").hidden = session.current;
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
    item.addEventListener("click", async ({ target }) => {
      const action = target.closest("[data-action]")?.dataset.action;
      if (action === "rename") open(true);
      if (action === "cancel") open(false);
      if (action === "end") {
        target.disabled = true;
        put(this.error, (await this.end(session())) ?? "");
        target.disabled = false;
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
