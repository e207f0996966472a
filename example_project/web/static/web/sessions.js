/* The list of devices: the server's own (jwt_revoke.devices), merged into what stands here. */

import { put } from "./texts.js";

const ENDED_SHOWN = 3000;
const UNSETTLED = 500; // after rows moved up, a click may have been aimed at another one
const CONTROLS = "summary, input, button";

export class SessionList {
  #movedAt = -Infinity;

  /** `send(form, row)` does what the form is for. */
  constructor(list, { count, send }) {
    this.list = list;
    this.count = count;
    list.addEventListener("click", (event) => this.#clicked(event), true);
    list.addEventListener("toggle", ({ target }) => this.#toggled(target), true);
    list.addEventListener("keydown", ({ key, target }) => {
      const details = target.closest("details[open]");
      if (key !== "Escape" || !details) return;
      details.open = false;
      details.querySelector("summary").focus();
    });
    list.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { target: form, submitter } = event;
      if (form.ariaBusy) return;
      form.ariaBusy = "true";
      // Not `disabled`: that would drop the focus.
      submitter?.setAttribute("aria-disabled", "true");
      await send(form, form.closest("[data-session]"));
      submitter?.removeAttribute("aria-disabled");
      form.ariaBusy = null;
    });
  }

  clear() {
    this.list.replaceChildren();
  }

  /**
   * Shows the list as the server has it. `sent` is the row whose form it answers.
   *
   * The HTML is written by the server's templates, which escape what people typed. A script that
   * got in all the same would be dead: a parsed document runs none, nor does the page's policy.
   */
  show(html, sent = null) {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    // A list that was cut off, or is something else, tells of no device that it has ended.
    if (!parsed.querySelector(".jwt-revoke-devices")) return "";
    const rows = new Map(
      [...parsed.querySelectorAll("[data-session]")].map((row) => [row.dataset.session, row]),
    );
    const known = new Map([...this.list.children].map((row) => [row.dataset.session, row]));
    for (const [id, row] of known) if (!rows.has(id)) this.#ended(row);
    for (const [id, row] of rows) {
      // A row stays where it is, and a new one comes last: none slips under the pointer.
      if (known.has(id)) this.#merge(known.get(id), row, sent);
      else if (row.matches(".jwt-revoke-current")) this.list.prepend(row);
      else this.list.append(row);
    }
    const count = this.list.querySelectorAll(":scope > :not(.ended)").length;
    put(this.count, this.list.dataset[count === 1 ? "one" : "many"].replace("{count}", count));
    return parsed.querySelector("[role=status]")?.textContent ?? "";
  }

  #merge(row, fresh, sent) {
    // A list that was asked for before a session ended may still hold it.
    if (row.matches(".ended")) return;
    const times = fresh.querySelectorAll("time");
    row.querySelectorAll("time").forEach((time, index) => put(time, times[index].textContent));
    // What somebody is typing in a row is not taken away from under their hands.
    const typing = row !== sent && row.querySelector("details[open]");
    if (typing || row.isEqualNode(fresh)) return;
    const focused = [...row.querySelectorAll(CONTROLS)].indexOf(document.activeElement);
    row.replaceWith(fresh);
    const faulty = fresh.querySelector("[aria-invalid]");
    if (faulty) faulty.focus();
    else if (row === sent) fresh.querySelector("summary").focus();
    else if (focused >= 0) fresh.querySelectorAll(CONTROLS)[focused].focus();
  }

  #clicked(event) {
    const pointed = event.detail > 0;
    const unsettled = pointed && performance.now() - this.#movedAt < UNSETTLED;
    if (unsettled || event.target.closest(".ended")) event.preventDefault();
  }

  #toggled(details) {
    const input = details.querySelector("input[name=name]");
    if (details.open) return input.select();
    details.querySelector("form").reset();
  }

  /** Greys the row out in place, and takes it away when a second click can no longer hit. */
  #ended(row) {
    if (row.matches(".ended")) return;
    row.classList.add("ended");
    const badge = document.createElement("span");
    badge.className = "jwt-revoke-badge";
    badge.textContent = this.list.dataset.ended;
    row.querySelector(".jwt-revoke-name").append(" ", badge);
    const details = row.querySelector("details");
    if (details.open && details.contains(document.activeElement)) this.#focusHeading();
    details.open = false;
    for (const control of row.querySelectorAll("summary, button")) {
      control.setAttribute("aria-disabled", "true");
    }
    setTimeout(() => {
      if (!row.isConnected) return;
      // Focus that was in the vanished row goes to the list's heading, not to nowhere.
      if (row.contains(document.activeElement)) this.#focusHeading();
      row.remove();
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
}
