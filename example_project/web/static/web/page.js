/* Wires the page: forms and buttons to the client, the client's news to what one sees. */

import { CallLog } from "./calls.js";
import { asksForPassword, Client, SignedOut, Unavailable } from "./client.js";
import { SessionList } from "./sessions.js";
import { put, say } from "./texts.js";

const PING_EVERY = 2000;
const SESSIONS_EVERY = 2; // pings
const BEATS = 36;
const REFRESHED_SHOWN = 6000;
const TOAST_SHOWN = 6000;

const at = (id) => document.getElementById(id);
const log = new CallLog(at("log"), at("log-empty"));
const client = new Client({ seen, refreshed, ended });
const sessions = new SessionList(at("sessions"), { count: at("count"), send });

let round = 0; // of polling; a new sign-in makes the old round stop
let refreshedUntil = 0;
let toastTimer = null;

/* ---- What the client tells ---- */

function seen(call) {
  log.add(call);
  if (call.path === "/api/ping/") beat(call.answer.status);
}

function refreshed(reason) {
  refreshedUntil = Date.now() + REFRESHED_SHOWN;
  const key = { stale: "refreshedStale", expired: "refreshedExpired" }[reason];
  show("refreshed", say("refreshed"), say(key ?? "refreshedInvalid"));
}

function ended() {
  signedOut(say("ended"), say("endedDetail"), "ended");
}

/* ---- Live ---- */

async function poll(mine) {
  for (let count = 0; mine === round && client.signedIn; count += 1) {
    const next = new Promise((resolve) => setTimeout(resolve, PING_EVERY));
    try {
      const { status } = await client.call("GET", "/api/ping/", { background: true });
      if (mine !== round) return;
      standing(status);
      if (status === 200 && count % SESSIONS_EVERY === 0) await loadSessions(true);
    } catch (error) {
      if (error instanceof SignedOut) return;
      if (!(error instanceof Unavailable)) throw error;
      standing(error.status);
    }
    await next;
  }
}

function standing(status) {
  if (status === 200) {
    if (Date.now() > refreshedUntil) show("in", say("letIn"), say("letInDetail"));
  } else if (status === 0) {
    show("unsure", say("unsure"), say("unreachable"));
  } else {
    show("unsure", say("unsure"), say("unsureDetail", { status }));
  }
}

function show(state, title, detail) {
  at("live").dataset.state = state;
  put(at("state"), title);
  put(at("state-detail"), detail);
}

function beat(status) {
  const bar = document.createElement("i");
  bar.className = status === 200 ? "good" : status === 401 ? "bad" : "unsure";
  at("beats").append(bar);
  at("beats").firstElementChild.remove();
}

function noBeats() {
  at("beats").replaceChildren(
    ...Array.from({ length: BEATS }, () => document.createElement("i")),
  );
}

/* ---- Which half of the page ---- */

function signedIn({ focus }) {
  at("signed-out").hidden = true;
  at("signed-in").hidden = false;
  at("notice").hidden = true;
  for (const input of document.querySelectorAll("input[autocomplete=username][hidden]")) {
    input.value = client.username;
  }
  put(at("who"), client.username);
  at("who").hidden = false;
  noBeats();
  at("result").hidden = true;
  refreshedUntil = 0;
  show("connecting", say("connecting"), say("connectingDetail"));
  if (focus) at("state").focus();
  round += 1;
  poll(round);
}

function signedOut(title, detail, tone) {
  round += 1;
  if (at("reauthenticate").open) at("reauthenticate").close();
  sessions.clear();
  log.forget();
  toast("");
  at("signed-in").hidden = true;
  at("signed-out").hidden = false;
  at("who").hidden = true;
  for (const form of document.forms) reset(form);
  if (!title) return;
  at("notice").dataset.tone = tone;
  at("notice").hidden = false;
  put(at("notice-title"), title);
  put(at("notice-detail"), detail);
  at("notice").focus();
}

/* ---- Sessions ---- */

async function loadSessions(background = false) {
  const { list } = at("sessions").dataset;
  const answer = await client.call("GET", list, { background });
  if (answer.status === 200) sessions.show(answer.data);
}

/** A form of the list. It answers with the list as it is then; with 400 for what was typed. */
async function send(form, row) {
  const error = await orSignedOut(async () => {
    const body = new URLSearchParams(new FormData(form));
    const answer = await client.call("POST", form.getAttribute("action"), { body });
    if (answer.status === 200 || answer.status === 400) {
      toast(sessions.show(answer.data, row));
    } else if (answer.status === 404) {
      await loadSessions(); // it ended by itself in the meantime
    } else {
      return problem(answer);
    }
  });
  put(at("sessions-error"), error ?? "");
}

/* ---- Buttons ---- */

press("log-out", async () => {
  const answer = await client.logOut();
  if (client.signedIn) return problem(answer);
  signedOut(say("signedOut"), say("loggedOut"), "calm");
});

press("log-out-all", async () => {
  const answer = await client.logOutEverywhere();
  if (client.signedIn) return problem(answer);
  signedOut(say("signedOut"), say("loggedOutEverywhere"), "calm");
});

press("log-out-others", async () => {
  const answer = await client.replace("/api/auth/logout/all/", { keep_current: true });
  if (answer.status !== 200) return problem(answer);
  toast(say("othersEnded"));
  await loadSessions();
});

for (const button of document.querySelectorAll("[data-try]")) {
  button.addEventListener("click", () => attempt(button.dataset.try));
}

async function attempt(path) {
  const error = await orSignedOut(async () => {
    const answer = await client.call("GET", path);
    const words = answer.data?.detail ?? JSON.stringify(answer.data);
    at("result").hidden = false;
    at("result").dataset.outcome = answer.status === 200 ? "good" : "bad";
    put(at("result"), `${answer.status || "–"}  ${words ?? ""}`);
    if (path === "/api/critical/" && asksForPassword(answer)) confirmFor(path);
  });
  if (error) toast(error);
}

/* ---- Forms ---- */

submit(at("sign-in"), async (values, form) => {
  const answer = await client.signIn(values);
  if (answer.status !== 200) return answer;
  reset(form);
  signedIn({ focus: true });
});

submit(at("change-password"), async ({ old_password, new_password }, form) => {
  const answer = await client.replace("/api/auth/password/change/", { old_password, new_password });
  if (answer.status !== 200) return answer;
  reset(form);
  toast(say("passwordChanged"));
  await loadSessions();
});

let afterwards = null; // what the password is confirmed for

submit(at("reauthenticate").querySelector("form"), async ({ password }) => {
  const answer = await client.reauthenticate(password);
  if (answer.status !== 200) return answer;
  at("reauthenticate").close();
  toast(say("confirmed"));
  if (afterwards) await attempt(afterwards);
});

at("confirm").addEventListener("click", () => confirmFor(null));
at("reauthenticate").querySelector("[data-close]").addEventListener("click", () => {
  at("reauthenticate").close();
});
at("reauthenticate").addEventListener("close", () => {
  reset(at("reauthenticate").querySelector("form"));
});

function confirmFor(path) {
  afterwards = path;
  at("reauthenticate").showModal();
}

for (const chip of document.querySelectorAll(".chip")) {
  chip.addEventListener("click", () => {
    at("username").value = chip.dataset.username;
    at("password").value = chip.dataset.password;
    at("sign-in").querySelector(".primary").focus();
  });
}

/** Sends a form once at a time; `action` returns a refused answer, or nothing when it is done. */
function submit(form, action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button:not([type=button])");
    const values = Object.fromEntries(new FormData(form));
    clearErrors(form);
    const missing = [...form.querySelectorAll("[required]")].filter((input) => !input.value);
    if (missing.length) {
      for (const input of missing) fault(form, input.name, say("required"));
      return missing[0].focus();
    }
    button.disabled = true;
    const refused = await orSignedOut(() => action(values, form));
    button.disabled = false;
    if (typeof refused === "string") fault(form, null, refused);
    else if (refused) faults(form, refused);
  });
}

function press(id, action) {
  at(id).addEventListener("click", async () => {
    at(id).disabled = true;
    const error = await orSignedOut(action);
    at(id).disabled = false;
    put(at("sessions-error"), error ?? "");
  });
}

/** Runs an action of the person; what is returned is for them to read. */
async function orSignedOut(action) {
  try {
    return await action();
  } catch (error) {
    if (error instanceof SignedOut) return undefined; // `ended` has said so
    if (error instanceof Unavailable) return problem({ status: error.status });
    throw error;
  }
}

/* ---- Errors ---- */

function problem({ status, data, retryAfter }) {
  if (status === 429) return say("tooMany", { seconds: retryAfter ?? "?" });
  if (status === 0) return say("unreachable");
  const words = [data?.detail, data?.non_field_errors].flat().filter(Boolean);
  return words.length ? words.join(" ") : say("wrong", { status });
}

function faults(form, answer) {
  const fields = Object.keys(answer.data ?? {}).filter((name) => form.elements[name]);
  if (answer.status !== 400 || !fields.length) return fault(form, null, problem(answer));
  for (const name of fields) fault(form, name, [answer.data[name]].flat().join(" "));
  form.elements[fields[0]].focus();
}

function fault(form, name, text) {
  const own = name && form.querySelector(`[data-error-for="${name}"]`);
  if (name) form.elements[name].setAttribute("aria-invalid", "true");
  put(own || form.querySelector("[data-error]"), text);
}

function clearErrors(form) {
  for (const text of form.querySelectorAll(".error")) put(text, "");
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function reset(form) {
  form.reset();
  clearErrors(form);
}

function toast(text) {
  clearTimeout(toastTimer);
  put(at("toast"), text);
  if (text) toastTimer = setTimeout(() => toast(""), TOAST_SHOWN);
}

/* ---- Begin ---- */

if (client.signedIn) signedIn({ focus: false });
else signedOut();
