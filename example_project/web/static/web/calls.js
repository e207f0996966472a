/* The list of API calls at the foot of the page. It shows what was asked, never a token. */

import { put, say } from "./texts.js";

const LENGTH = 10;
const FOLDED = 4; // so many of the last lines a repeated call is looked for in

export class CallLog {
  #lines = [];
  #last = new Map(); // method and path → how it was answered last

  constructor(list, empty) {
    this.list = list;
    this.empty = empty;
  }

  add({ method, path, answer, took, background }) {
    const call = { method, path, status: answer.status, note: note(path, answer) };
    // The page's own polling is news only when its answer is another one than before.
    const known = this.#last.get(`${method} ${path}`);
    this.#last.set(`${method} ${path}`, call);
    if (background && known && alike(known, call)) return;
    const line = this.#again(call) ?? this.#line(call);
    line.count += 1;
    put(line.time, say("milliseconds", { count: took }));
    put(line.times, line.count > 1 ? say("times", { count: line.count }) : "");
    this.empty.hidden = true;
  }

  /** After a sign-out the polling begins anew, and its first answers are news again. */
  forget() {
    this.#last.clear();
  }

  /** A recent line of the same call with the same answer; it is now the latest. */
  #again(call) {
    const index = this.#lines.slice(0, FOLDED).findIndex((line) => alike(line.call, call));
    if (index < 0) return null;
    const [line] = this.#lines.splice(index, 1);
    this.#lines.unshift(line);
    if (index) this.list.prepend(line.item);
    return line;
  }

  #line(call) {
    const item = document.createElement("li");
    item.dataset.outcome = outcome(call.status);
    const part = (name, text) => {
      const span = document.createElement("span");
      span.className = name;
      span.textContent = text;
      item.append(span, " ");
      return span;
    };
    part("method", call.method);
    part("path", call.path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, (id) => `${id.slice(0, 8)}…`));
    part("status", call.status || "–");
    part("note", call.note);
    const line = { call, count: 0, times: part("times", ""), time: part("time", ""), item };
    this.list.prepend(item);
    this.#lines.unshift(line);
    for (const old of this.#lines.splice(LENGTH)) old.item.remove();
    return line;
  }
}

function alike(one, other) {
  return ["method", "path", "status", "note"].every((key) => one[key] === other[key]);
}

function outcome(status) {
  if (status >= 200 && status < 300) return "good";
  return status === 0 || status >= 500 ? "unsure" : "bad";
}

function note(path, { status, data }) {
  const reason = data?.messages?.[0]?.reason;
  if (status === 0) return say("noteNetwork");
  if (status >= 500) return say("noteUnsure");
  if (reason) return say(`note${reason[0].toUpperCase()}${reason.slice(1)}`);
  if (status === 204 || (status === 200 && path.includes("/end/"))) return say("noteEnded");
  if (status >= 400) return say("noteRefused");
  if (data?.access && !data.refresh) return say("noteAccess");
  if (data?.access) return say(path.endsWith("/token/") ? "noteSignedIn" : "noteTokens");
  return path === "/api/ping/" ? say("letIn").toLowerCase() : "";
}
