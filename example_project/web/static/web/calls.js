/* The list of API calls at the foot of the page. It shows what was asked, never a token. */

import { put, say } from "./texts.js";

const LENGTH = 10;

export class CallLog {
  #lines = [];

  constructor(list, empty) {
    this.list = list;
    this.empty = empty;
  }

  add({ method, path, answer, took, background }) {
    const call = { method, path, status: answer.status, note: note(path, answer), background };
    // The page's own polling is a line that counts, or it would push out all that matters.
    const line = (background && this.#running(call)) || this.#line(call);
    line.count += 1;
    put(line.time, say("milliseconds", { count: took }));
    put(line.times, line.count > 1 ? say("times", { count: line.count }) : "");
    this.empty.hidden = true;
  }

  /** The line of the same background call, when nothing but background calls came after it. */
  #running(call) {
    const end = this.#lines.findIndex((line) => !line.call.background);
    const recent = end < 0 ? this.#lines : this.#lines.slice(0, end);
    return recent.find((line) => alike(line.call, call));
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
  if (status === 204) return say("noteEnded");
  if (status >= 400) return say("noteRefused");
  if (data?.access && !data.refresh) return say("noteAccess");
  if (data?.access) return say(path.endsWith("/token/") ? "noteSignedIn" : "noteTokens");
  return path === "/api/ping/" ? say("letIn").toLowerCase() : "";
}
