/*
 * Talks to the API for one signed-in device.
 *
 * Where the tokens are. The access token is in memory only. The refresh token is also in
 * sessionStorage, so that a reload of the tab is not a log-out. Any script that runs in this
 * page can read both: that is the risk of every browser application that holds its own tokens.
 * Here a strict Content-Security-Policy, no foreign script and the session's being revocable
 * answer it, which is good enough for a demonstration. A site with more to lose keeps the refresh
 * token in an HttpOnly cookie, behind a backend of its own.
 */

const STORAGE = "jwt-revoke-example";
const TIMEOUT = 8000;

/** The API could not be asked, or could not tell: nobody is signed out for that. */
export class Unavailable extends Error {
  constructor(answer) {
    super(`unavailable (${answer.status})`);
    this.status = answer.status;
  }
}

/** The session is over; the client has forgotten its tokens. */
export class SignedOut extends Error {}

/** RFC 9470: the token lives, but the password was given too long ago. No refresh helps. */
export function asksForPassword(answer) {
  return answer.status === 401 && answer.data?.code === "insufficient_user_authentication";
}

export class Client {
  #access = null;
  #held = read();
  #pending = null; // a refresh or a replacement of the tokens under way: everyone waits for it
  #tabs = "BroadcastChannel" in window ? new BroadcastChannel(STORAGE) : null;

  /** `seen(call)` for the log, `refreshed(reason)` after a silent refresh, `ended()` at the end. */
  constructor({ seen, refreshed, ended }) {
    this.seen = seen;
    this.refreshed = refreshed;
    this.ended = ended;
    // A duplicated tab starts with a copy of the refresh token. Each of the two would present
    // what the other has used up, and a refresh token used twice ends the session as stolen.
    // So whoever gets new tokens hands them to the tabs of the same session.
    this.#tabs?.addEventListener("message", ({ data }) => {
      if (this.#held && data.of === this.#held.session) this.#keep(data.tokens);
    });
  }

  get signedIn() {
    return this.#held !== null;
  }

  get username() {
    return this.#held?.username ?? "";
  }

  async signIn({ username, password, device }) {
    const body = device ? { username, password, device } : { username, password };
    const answer = await this.#send("POST", "/api/auth/token/", { body });
    if (answer.status === 200) this.#keep({ ...answer.data, username });
    return answer;
  }

  /** One call with the access token. Refreshes, once, when the API says that this helps. */
  async call(method, path, { body, background = false } = {}) {
    const [used, answer] = await this.#attempt(method, path, { body, background });
    if (answer.status !== 401 || asksForPassword(answer)) return answer;
    const reason = answer.data?.messages?.[0]?.reason ?? "invalid";
    await this.#settled();
    if (used === this.#access) {
      if (reason === "revoked") this.#end();
      await this.#refresh(reason);
    }
    const [, second] = await this.#attempt(method, path, { body, background });
    if (second.status === 401 && !asksForPassword(second)) this.#end();
    return second;
  }

  /** A call whose success replaces the tokens of this device, and kills the old ones at once. */
  async replace(path, body) {
    const answer = await this.#replaceOnce(path, body);
    if (answer.status !== 401) return answer;
    await this.call("GET", "/api/ping/"); // refreshes, or finds that the session is over
    return this.#replaceOnce(path, body);
  }

  async #replaceOnce(path, body) {
    // Until the new tokens are here, everyone else waits: a poll that was answered "revoked" in
    // between would take this device for signed out.
    do await this.#ready();
    while (this.#pending);
    const { session } = this.#held;
    return this.#during(
      this.#send("POST", path, { body, access: this.#access }).then((answer) => {
        if (answer.status === 200) this.#share(session, answer.data);
        return answer;
      }),
    );
  }

  /** A new access token for the password; the refresh token stays. */
  async reauthenticate(password) {
    const answer = await this.call("POST", "/api/auth/reauthenticate/", { body: { password } });
    if (answer.status === 200) this.#access = answer.data.access;
    return answer;
  }

  async logOut() {
    await this.#settled();
    if (!this.#held) throw new SignedOut();
    // The refresh token goes along: it is enough by itself when the access token has expired.
    const answer = await this.#send("POST", "/api/auth/logout/", {
      body: { refresh: this.#held.refresh },
      access: this.#access,
    });
    // 503: it could not be made effective everywhere. Keep the tokens, so that one can try again.
    if (answer.status === 204 || answer.status === 401) this.forget();
    return answer;
  }

  async logOutEverywhere() {
    const answer = await this.call("POST", "/api/auth/logout/all/", { body: {} });
    if (answer.status === 204) this.forget();
    return answer;
  }

  forget() {
    this.#access = null;
    this.#held = null;
    sessionStorage.removeItem(STORAGE);
  }

  #end() {
    this.forget();
    this.ended();
    throw new SignedOut();
  }

  async #attempt(method, path, options) {
    await this.#ready();
    const access = this.#access;
    return [access, await this.#send(method, path, { ...options, access })];
  }

  async #ready() {
    await this.#settled();
    if (!this.#held) throw new SignedOut();
    if (!this.#access) await this.#refresh(null);
  }

  async #settled() {
    // Who started it handles its failure; the others only wait.
    while (this.#pending) await this.#pending.catch(() => {});
  }

  #during(promise) {
    const pending = promise.finally(() => {
      if (this.#pending === pending) this.#pending = null;
    });
    this.#pending = pending;
    return pending;
  }

  /** Single flight: ten calls that are refused together make one refresh. */
  #refresh(reason) {
    if (this.#pending) return this.#pending;
    return this.#during(this.#refreshOnce(reason));
  }

  async #refreshOnce(reason) {
    const { refresh, session } = this.#held;
    const answer = await this.#send("POST", "/api/auth/token/refresh/", { body: { refresh } });
    if (answer.status === 200) {
      this.#share(session, answer.data);
      if (reason) this.refreshed(reason);
    } else if (answer.status === 401) {
      // Another tab of this session may have been faster; then its tokens are here by now.
      if (this.#held?.refresh === refresh) this.#end();
    } else {
      throw new Unavailable(answer);
    }
  }

  #share(of, tokens) {
    this.#keep(tokens);
    this.#tabs?.postMessage({ of, tokens: { ...this.#held, access: this.#access } });
  }

  #keep({ access, refresh, session, username }) {
    this.#access = access;
    this.#held = {
      refresh,
      session: session ?? this.#held?.session,
      username: username ?? this.#held?.username,
    };
    sessionStorage.setItem(STORAGE, JSON.stringify(this.#held));
  }

  async #send(method, path, { body, access, background = false } = {}) {
    const headers = {
      Accept: "application/json",
      "Accept-Language": document.documentElement.lang, // errors in the page's own language
    };
    const isForm = body instanceof URLSearchParams; // which names its type itself
    if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
    if (access) headers.Authorization = `Bearer ${access}`;
    const started = performance.now();
    let answer = { status: 0, data: null, retryAfter: null };
    try {
      const response = await fetch(path, {
        method,
        headers,
        body: body === undefined || isForm ? body : JSON.stringify(body),
        // Tokens only: an admin who is signed in here by cookie must make no difference.
        credentials: "omit",
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT),
      });
      const isHtml = response.headers.get("Content-Type")?.startsWith("text/html");
      answer = {
        status: response.status,
        data: await (isHtml ? response.text() : response.json()).catch(() => null),
        retryAfter: response.headers.get("Retry-After"),
      };
    } catch {
      // No network, or no answer in time: status 0.
    }
    const took = Math.round(performance.now() - started);
    this.seen({ method, path, answer, took, background });
    return answer;
  }
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(STORAGE));
  } catch {
    return null;
  }
}
